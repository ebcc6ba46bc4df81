"""Ragged groups: packed into a few shapes, and fitted as each alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import pytest
import statsmodels.api as sm

import jaxmle as jm

START = {"beta": jnp.zeros(2)}


def _ragged(groups=60, seed=0, longest=80):
    """A Poisson regression in groups of 5 to ``longest`` rows, shuffled."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, longest + 1, groups)
    labels = np.repeat(rng.permutation(groups) * 10, sizes)
    labels = labels[rng.permutation(labels.size)]
    x = np.column_stack([np.ones(labels.size), rng.normal(size=labels.size)])
    y = rng.poisson(np.exp(x @ np.array([1.0, 0.3]))).astype(float)
    return {"x": x, "y": y}, labels


def _log_rate(params, row):
    return (row @ params["beta"],)


def _term(data, weights):
    return jm.regression(jm.densities.poisson, _log_rate, data["x"], data["y"], weights)


def _both(pack):
    term = _term(pack.data, pack.weights)
    fits = jm.fit_batch(term, START)
    return fits, jax.vmap(jm.infer, in_axes=(jm.lane_axes(term), 0))(term, fits)


def test_fits_in_packs_are_those_of_statsmodels_group_by_group():
    data, labels = _ragged()
    groups = jm.group_by(data, labels)
    fits, inference = groups.in_order([_both(pack) for pack in groups])
    np.testing.assert_array_equal(groups.labels, np.unique(labels))
    assert fits.ok.all()
    for i in range(0, groups.labels.size, 7):
        rows = labels == groups.labels[i]
        peer = sm.GLM(data["y"][rows], data["x"][rows], sm.families.Poisson()).fit(tol=1e-14, maxiter=100)
        np.testing.assert_allclose(fits.params["beta"][i], peer.params, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(inference.bse["beta"][i], peer.bse, rtol=1e-7)
        np.testing.assert_allclose(inference.nobs[i], rows.sum())
        np.testing.assert_allclose(inference.llf[i], peer.llf, rtol=1e-10)


def test_every_row_is_in_its_group_once_and_padding_has_no_weight():
    data, labels = _ragged()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, labels.size)
    groups = jm.group_by(data | {"row": np.arange(labels.size)}, labels, weights)
    seen = []
    for pack in groups:
        real = np.asarray(pack.weights) > 0
        rows, x, given = (np.asarray(leaf) for leaf in (pack.data["row"], pack.data["x"], pack.weights))
        for lane, label in enumerate(pack.labels):
            inside = rows[lane][real[lane]]
            assert set(labels[inside]) == {label}
            np.testing.assert_array_equal(given[lane][real[lane]], weights[inside])
            np.testing.assert_array_equal(x[lane][real[lane]], data["x"][inside])
            assert set(labels[rows[lane][~real[lane]]]) <= {label}
            seen.extend(inside)
    assert sorted(seen) == list(range(labels.size))


@pytest.mark.parametrize(
    "sizes, most",
    [
        (np.arange(20, 2001), 5),
        (np.exp(np.linspace(np.log(2), np.log(5000), 3000)).astype(int), 12),
        (np.full(9, 7), 1),
        (np.array([1, 1000]), 2),
        (np.array([3] * 500 + [10_000]), 2),
    ],
)
def test_shapes_are_few_and_padding_is_a_quarter_at_most(sizes, most):
    labels = np.repeat(np.arange(sizes.size), sizes)
    groups = jm.group_by(np.zeros(labels.size), labels)
    padded = sum(pack.weights.size for pack in groups)
    assert len(groups) <= most
    assert 0.75 * padded <= labels.size
    fewer = [pack.weights.shape[1] for pack in groups]
    assert fewer == sorted(set(fewer))


def test_the_shapes_are_the_best_of_their_number():
    """Beside all ways of cutting the sizes into as many classes."""
    import itertools

    sizes = np.array([1, 2, 2, 5, 6, 9, 14, 15, 15, 21, 30, 31])
    groups = jm.group_by(np.zeros(sizes.sum()), np.repeat(np.arange(sizes.size), sizes))
    ends = np.unique(sizes)

    def padded(cut):
        cut = np.array([*cut, ends[-1]])
        return cut[np.searchsorted(cut, sizes)].sum()

    best = min(padded(cut) for cut in itertools.combinations(ends[:-1], len(groups) - 1))
    assert sum(pack.weights.size for pack in groups) == best
    assert all(padded(cut) * 0.75 > sizes.sum() for cut in itertools.combinations(ends[:-1], len(groups) - 2))


def test_frames_texts_and_shared_leaves():
    frame = pandas.DataFrame({"y": [1.0, 2.0, 6.0], "site": ["b", "a", "b"]})
    groups = jm.group_by(frame[["y"]], frame["site"])
    assert groups.labels.tolist() == ["a", "b"]
    groups = jm.group_by({"y": frame["y"].to_numpy(), "k": jm.shared(np.ones(2))}, frame["site"].tolist())
    assert len(groups) == len(list(groups))
    assert groups[0].data["k"].value.shape == (2,)


def test_missing_values_in_one_group_touch_no_other():
    data, labels = _ragged()
    data["x"][np.flatnonzero(labels == 50)[0], 1] = np.nan
    groups = jm.group_by(data, labels)
    fits = groups.in_order([jm.fit_batch(_term(pack.data, pack.weights), START) for pack in groups])
    assert fits.ok.tolist() == [label != 50 for label in groups.labels]


def test_print_says_how_many_groups_there_are_in_which_shapes():
    groups = jm.group_by(np.arange(41.0), np.repeat(["a", "b", "c"], [20, 20, 1]))
    assert repr(groups) == "Groups(3 groups in 2 packs: 1 of up to 1 rows, 2 of up to 20 rows)"


def test_errors():
    data, labels = _ragged(groups=6)
    with pytest.raises(ValueError, match="one label for each of the"):
        jm.group_by(data, labels[1:])
    with pytest.raises(ValueError, match=r"the label of row 1 is missing \(1 such rows"):
        jm.group_by(np.zeros(2), ["a", None])
    with pytest.raises(ValueError, match=r"the label of row 0 is missing"):
        jm.group_by(np.zeros(2), np.array([np.nan, 1.0]))
    with pytest.raises(ValueError, match="one weight for each"):
        jm.group_by(data, labels, np.ones(3))
    with pytest.raises(ValueError, match="different numbers of rows"):
        jm.group_by(data | {"y": data["y"][1:]}, labels)
    groups = jm.group_by(data, labels)
    with pytest.raises(ValueError, match="packs and 0 results"):
        groups.in_order([])
    with pytest.raises(ValueError, match="pack 0 has"):
        groups.in_order([np.zeros(99) for _ in groups])
