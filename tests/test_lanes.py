"""What lanes may differ in, and the axes that say so."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batch_cases import LANES, START, curves, lane_of, logistic, models, noise, same

import jaxmle as jm
from jaxmle.fitting import chunks
from jaxmle.fitting.chunks import vmapped_in_chunks
from jaxmle.fitting.queue import Lanes, Task
from jaxmle.parameters.space import Space
from jaxmle.terms.filled import owns_its_rows


def test_lanes_of_a_prior_scale_alone():
    x, y = (part[0] for part in logistic())
    scales = jnp.array([0.1, 1.0, 10.0])

    def objective(scale):
        return jm.models.logistic(x, y).objective + jm.priors.normal("beta", scale=scale)

    axes = jax.tree.map(lambda _: None, objective(1.0))
    axes = eqx.tree_at(
        lambda o: o.terms[1], axes, jax.tree.map(lambda _: 0, objective(scales).terms[1]), is_leaf=lambda x: x is None
    )
    lanes = objective(scales)
    axes = jax.tree.map(lambda axis, leaf: axis if np.ndim(leaf) else None, axes, lanes, is_leaf=lambda x: x is None)
    fits = jm.fit_batch(lanes, {"beta": jnp.zeros(3)}, in_axes=(axes, None))
    for i, scale in enumerate(scales):
        same(fits, i, jm.fit(objective(scale), {"beta": jnp.zeros(3)}))


def test_lanes_of_starts_alone():
    hills = jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) - jnp.sum(p["v"] ** 2))
    start = {"x": 1.0, "v": jm.interval(jnp.full(2, 0.5), lower=-1.0, upper=2.0)}
    starts = jm.random_starts(jax.random.key(0), start, 9, spread=2.0)
    fits = jm.fit_batch(hills, starts, in_axes=(None, 0), batch_size=2)
    assert fits.ok.sum() > 5
    assert set(np.sign(fits.params["x"])) == {-1.0, 1.0}
    for i in np.flatnonzero(fits.ok)[::3]:
        alone = {"x": starts["x"][i], "v": jm.interval(starts["v"].value[i], lower=-1.0, upper=2.0)}
        same(fits, i, jm.fit(hills, alone))


def test_lanes_of_fixed_parameters_and_bounds():
    y = jnp.asarray(np.random.default_rng(2).normal(1.0, 2.0, 25))
    known, lower = jnp.array([1.0, 2.0]), jnp.array([-1.0, 1.5])

    def start(known, lower):
        return {"mu": jm.interval(jnp.asarray(3.0), lower=lower), "sigma": jm.fixed(known)}

    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    axes = {"mu": jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, start(known, lower)["mu"]), "sigma": 0}
    fits = jm.fit_batch(term, start(known, lower), in_axes=(None, axes))
    for i in range(2):
        same(fits, i, jm.fit(term, start(known[i], lower[i])))
    np.testing.assert_array_equal(fits.params["sigma"], known)


def test_lanes_along_another_axis():
    x, y = logistic()
    lanes = models(x, y)
    usual = jm.fit_batch(lanes)
    turned = eqx.tree_at(lambda p: p.objective.terms[0].x, lanes, jnp.moveaxis(jnp.asarray(x), 0, 2))
    axes = eqx.tree_at(lambda p: p.objective.terms[0].x, jm.lane_axes(lanes), 2)
    fits = jm.fit_batch(turned, in_axes=(axes,))
    np.testing.assert_array_equal(fits.z, usual.z)


def test_a_start_of_ones_own_for_a_batch_of_problems():
    x, y = logistic()
    fits = jm.fit_batch(models(x, y), {"beta": jm.free(jnp.ones(3))})
    np.testing.assert_allclose(fits.z, jm.fit_batch(models(x, y)).z, rtol=1e-7, atol=1e-9)
    assert fits.steps.tolist() != jm.fit_batch(models(x, y)).steps.tolist()


def test_shared_data_and_whole_likelihoods():
    rng = np.random.default_rng(5)
    series, knots = jnp.asarray(rng.normal(size=(6, 40))), jnp.array([0.5, 2.0])

    def step(params, data):
        return jm.densities.normal.logpdf(data["y"] * data["k"][0], params["mu"], data["k"][1])

    data = {"y": series, "k": jm.shared(knots)}
    by_rows = jm.fit_batch(jm.likelihood(step, data), {"mu": 0.0})
    whole = jm.fit_batch(jm.likelihood(step, data, rows=False, nobs=40), {"mu": 0.0})
    np.testing.assert_allclose(by_rows.params["mu"], 0.5 * series.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(whole.params["mu"], by_rows.params["mu"], rtol=1e-12)


def test_lane_axes_are_an_objective_of_axes():
    data, weights = curves()
    term = 2.0 * jm.likelihood(noise, data | {"k": jm.shared(jnp.ones(3))}, weights) + jm.priors.normal("beta")
    axes = jm.lane_axes(term)
    assert axes.terms[0].data["x"] == 0
    assert axes.terms[0].weights == 0
    assert jax.tree.leaves((axes.terms[0].data["k"], axes.terms[1], axes.factors)) == []
    values = jax.vmap(lambda term: term({"beta": jnp.ones(2), "sigma": 1.0}), in_axes=(axes,))(term)
    assert values.shape == (LANES,)


def test_lanes_that_do_not_agree_are_named():
    data, weights = curves()
    with pytest.raises(ValueError, match=r"objective.terms\[0\].weights \(shape \(3, 30\), axis 0\) has 3|and .*has 3"):
        jm.fit_batch(jm.likelihood(noise, data, weights[:3]) + jm.priors.flat(), START)
    with pytest.raises(ValueError, match=r"do not agree: objective.data.x \(shape \(41, 30, 2\), axis 0\) has 41"):
        jm.fit_batch(jm.likelihood(noise, data | {"y": data["y"][:7]}), START)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda d: lane_of(d, 0),
            r"in one of the 30 lanes: data leaf 'y' is a single number.*first axis .* counts lanes",
        ),
        (lambda d: lane_of(d, slice(0, 0)), "the batch has no lanes"),
        (lambda d: d | {"y": d["y"][:, :4]}, "in one of the 41 lanes: data leaves have different numbers of rows"),
    ],
)
def test_shapes_of_lanes(change, message):
    data, _ = curves()
    with pytest.raises(ValueError, match=message):
        jm.fit_batch(jm.likelihood(noise, change(data)), START)


def test_axes_that_cannot_be():
    data, _ = curves()
    term = jm.likelihood(noise, data)
    for axes, message in [
        (0, r"one entry for each argument, \(objective, start\)"),
        ((0,), r"one entry for each argument"),
        ((0, {"alpha": 0}), "must be shaped like"),
        ((0.5, None), "whole numbers"),
        ((None, None), "no leaf has a lane axis"),
        ((3, None), r"objective.data.x has shape \(41, 30, 2\) and no axis 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.fit_batch(term, START, in_axes=axes)


def shrunk(x, y, scale=2.0):
    return 1.5 * jm.models.logistic(x, y) + jm.priors.normal("beta", scale=scale)


@pytest.mark.parametrize("lanes", [5, 3])
def test_a_prior_inside_a_vmapped_model(lanes):
    """As many lanes as parameters too: there one number for each of them is taken for what it is."""
    x, y = (jnp.asarray(part) for part in logistic(lanes=lanes))
    problems = jax.vmap(shrunk)(x, y)
    fits = jm.fit_batch(problems)
    inference = jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0))(problems, fits)
    for i in range(0, lanes, 2):
        alone = shrunk(x[i], y[i])
        same(fits, i, jm.fit(alone))
        wanted = jm.infer(alone, jm.fit(alone))
        np.testing.assert_allclose(inference.bse["beta"][i], wanted.bse["beta"], rtol=1e-12)
        np.testing.assert_allclose(inference.logprior[i], wanted.logprior, rtol=1e-12)


def test_a_prior_outside_a_vmapped_model_is_that_of_all_lanes():
    x, y = logistic(lanes=5)
    prior = jm.priors.normal("beta", scale=np.array([5.0, 1.0, 0.5]))
    problems = models(x, y) + prior
    assert jax.tree.leaves(jm.lane_axes(problems).objective.terms[1]) == []
    same(jm.fit_batch(problems), 4, jm.fit(jm.models.logistic(x[4], y[4]) + prior))


def test_an_array_that_may_be_of_lanes_or_of_parameters_is_refused():
    x, y = (jnp.asarray(part) for part in logistic(lanes=3))
    scales = jnp.array([5.0, 1.0, 0.5])
    problems = jax.vmap(shrunk)(x, y, scales)
    with pytest.raises(ValueError, match=r"each of the 3 lanes, or .* for 3 of their 3 parameters: say which"):
        jm.fit_batch(problems)
    same(jm.fit_batch(problems, in_axes=(0,)), 2, jm.fit(shrunk(x[2], y[2], 0.5)))
    x, y = (jnp.asarray(part) for part in logistic(lanes=5))
    scales = jnp.array([5.0, 1.0, 0.5, 2.0, 3.0])
    same(jm.fit_batch(jax.vmap(shrunk)(x, y, scales)), 2, jm.fit(shrunk(x[2], y[2], 0.5)))


def test_nobs_of_likelihoods_that_are_not_split():
    """One number is that of every lane; by default it is the length of what is given, which here counts lanes."""
    y = jnp.asarray(np.random.default_rng(6).normal(size=(6, 9)))

    def series(params, y):
        return jnp.sum(jm.densities.normal.logpdf(y, params["mu"], 1.0))

    def nobs(term):
        fits = jm.fit_batch(term, {"mu": 0.0})
        return jax.vmap(jm.infer, in_axes=(jm.lane_axes(term), 0))(term, fits).nobs.tolist()

    assert nobs(jm.likelihood(series, y, rows=False)) == [6.0] * 6
    assert nobs(jm.likelihood(series, y, rows=False, nobs=9)) == [9.0] * 6
    assert nobs(jm.likelihood(series, y, rows=False, nobs=np.arange(4.0, 10.0))) == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert nobs(jax.vmap(lambda y: jm.likelihood(series, y, rows=False))(y)) == [9.0] * 6


def test_a_number_of_python_has_no_lanes():
    """Of arguments of what is worked through in chunks; in the derivative it is a number as any other."""
    square = vmapped_in_chunks(lambda x: x["a"] ** 2 * x["b"])
    found, change = jax.jvp(square, ({"a": 3.0, "b": jnp.float64(2.0)},), ({"a": 1.0, "b": jnp.float64(0.0)},))
    assert (float(found), float(change)) == (18.0, 12.0)

    def slope(b):
        return jax.grad(lambda a: square({"a": a, "b": b}))(3.0)

    np.testing.assert_array_equal(jax.jit(jax.vmap(slope))(jnp.arange(3.0)), [0.0, 6.0, 12.0])


def task(objective, start):
    """The task of one lane."""
    space, values = Space.of(start)
    whole = objective, space, values
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], whole)
    return Task.of(Lanes(own, jax.tree.map(lambda _: None, whole)), None, 1e-9, 50, None, False)


def test_lanes_of_products_lie_by_columns_and_find_the_same(monkeypatch):
    """An affine predictor takes products of columns, which are faster so; what else there is lies as it came."""
    x, y = logistic()

    beta = {"beta": jnp.zeros(3)}
    regression = jm.regression(jm.densities.bernoulli, lambda p, row: (row @ p["beta"],), x[0], y[0])
    bent = jm.regression(jm.densities.bernoulli, lambda p, row: (jnp.sin(row @ p["beta"]),), x[0], y[0])
    assert task(regression, beta).by_columns
    assert task(regression + jm.priors.normal("beta"), beta).by_columns
    assert not task(bent, beta).by_columns
    assert not task(jm.likelihood(lambda p, d: -((d @ p["beta"]) ** 2), x[0]), beta).by_columns
    monkeypatch.setattr(chunks, "CPU_NUMBERS", 7 * 4 * x.shape[1])  # seven lanes at once
    problems = models(x, y)
    fits = jm.fit_batch(problems)
    found = jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0))(problems, fits)
    for i in (0, 6, 7, 40):
        alone = models(x[i : i + 1], y[i : i + 1])
        fit = jax.tree.map(lambda leaf, i=i: leaf[i], fits)
        np.testing.assert_allclose(found.cov[i], jm.infer(lane_of(alone, 0), fit).cov, rtol=1e-12)


def test_rows_of_weight_zero_are_replaced_once_where_lanes_own_them():
    x, y = logistic()
    weights = np.ones(y.shape)
    weights[:, ::3] = 0.0
    x[3, 0], y[5, 3] = np.nan, 7.0  # weight zero
    beta = {"beta": jnp.zeros(3)}

    def term(x, y, weights):
        return jm.regression(jm.densities.bernoulli, lambda p, row: (row @ p["beta"],), x, y, weights)

    def rows(params, data):
        return jm.densities.bernoulli.logpmf(data["y"], data["x"] @ params["beta"])

    lanes = term(x, y, weights)
    own = jax.tree.map(lambda leaf: leaf, lanes)
    shared = dataclasses.replace(own, x=None, y=None)
    assert owns_its_rows(own, lanes)
    assert owns_its_rows(own + jm.priors.normal("beta"), lanes + jm.priors.normal("beta"))
    assert not owns_its_rows(shared, lanes)
    assert not owns_its_rows(term(x, y, None), term(x, y, None))
    assert task(term(x[0], y[0], weights[0]), beta).fills
    assert not task(term(x[0], y[0], None), beta).fills
    found = jm.fit_batch(lanes, beta)
    by_hand = jm.fit_batch(jm.likelihood(rows, {"x": x, "y": y}, weights), beta, batch_size=3)
    for size in (1, 2, 5, 40):  # the last lanes to enter are fewer than a share of the slots
        again = jm.fit_batch(lanes, beta, batch_size=size)
        np.testing.assert_array_equal(again.status, found.status)
        np.testing.assert_allclose(again.params["beta"], found.params["beta"], rtol=1e-12)
    for i in (3, *range(0, 41, 5)):
        kept = weights[i] > 0
        alone = jm.fit(term(x[i][kept], y[i][kept], None), beta)
        assert alone.ok
        for fits in (found, by_hand):
            assert fits.status[i] == alone.status
            np.testing.assert_allclose(fits.params["beta"][i], alone.params["beta"], rtol=1e-8)
            np.testing.assert_allclose(fits.log_likelihood[i], alone.log_likelihood, rtol=1e-12)
