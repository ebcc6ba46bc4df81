"""Every loss is what its docstring says: its formula, its noise model, what other libraries compute."""

import inspect
from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import optax
import pytest
from loss_table import NUMBERS, TABLE, huber_constant
from scipy import integrate, special, stats
from sklearn import metrics
from sklearn._loss.loss import ExponentialLoss

import jaxmle as jm
from jaxmle import densities, losses
from jaxmle.losses.catalogue import FACTS

EPS = np.finfo(float).eps
MODELS = [row for row in TABLE if row.minus_log_density is not None]
per_loss = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
per_model = pytest.mark.parametrize("row", MODELS, ids=lambda row: row.name)


def grid(row):
    """Every prediction with every target."""
    return [x.ravel() for x in np.meshgrid(row.predictions, row.targets)]


@cache
def everything(name):
    """Value, slope and bend in the prediction on the grid, compiled once."""
    row = next(row for row in TABLE if row.name == name)

    def one(p, t):
        return row.loss(p, t), jax.grad(row.loss)(p, t), jax.grad(jax.grad(row.loss))(p, t)

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(*map(jnp.asarray, grid(row))))


@per_loss
def test_value_equals_the_formula_in_many_digits(row):
    """To 1e-14 relative, or what rounding the prediction does: the slope times eps times its size."""
    value, slope, _ = everything(row.name)
    with mp.workdps(50):
        for p, t, found, steep in zip(*grid(row), value, slope, strict=True):
            exact = row.exact(mp.mpf(p), mp.mpf(t))
            allowed = 1e-14 * abs(exact) + 4 * EPS * abs(steep) * (abs(p) + abs(t)) + 1e-300
            assert abs(found - exact) <= allowed, (p, t)


@per_loss
def test_derivatives_equal_those_of_the_formula(row):
    """To 1e-8 relative away from corners; near zero of the formula's own scale."""
    _, slope, bend = everything(row.name)
    with mp.workdps(60):
        for p, t, first, second in zip(*grid(row), slope, bend, strict=True):
            if is_at_corner(row.name, p, t):
                continue
            for order, found in ((1, first), (2, second)):
                exact = mp.diff(lambda p, t=t: row.exact(p, mp.mpf(t)), mp.mpf(p), order, h=mp.mpf("1e-20"))
                assert abs(found - exact) <= 1e-8 * abs(exact) + 1e-15, (p, t, order)


def is_at_corner(name, p, t):
    """Whether a one-sided formula has its seam here: there the derivative is tested apart."""
    if name in ("absolute_error", "quantile"):
        return p == t
    return name == "zero_one" or (name == "hinge" and p * t == 1)


def test_at_a_corner_the_derivative_is_the_middle_of_both_sides():
    at = [
        jax.grad(losses.absolute_error)(1.0, 1.0),
        jax.grad(losses.quantile)(1.0, 1.0, 0.75),  # between -0.75 and 0.25
        jax.grad(losses.hinge)(1.0, 1.0),  # between -1 and 0
        jax.grad(losses.huber)(0.0, 1.0, 1.0),  # no corner: both sides agree
    ]
    assert np.asarray(at).tolist() == [0.0, -0.25, -0.5, -1.0]


@per_model
def test_noise_model(row):
    """To 1e-12 of what is added: -log density = scale * loss + constant, with scipy's density."""
    p, t = grid(row)
    right = row.scale * everything(row.name)[0] + row.constant(t)
    kept = slice(None)
    if row.name == "binary_cross_entropy":  # scipy rounds a probability near one, which alone is compared elsewhere
        kept = np.abs(p) < 5
    left = row.minus_log_density(p, t)
    size = np.abs(row.scale * everything(row.name)[0]) + np.abs(row.constant(t) + 0 * t) + np.abs(left) + 1
    assert np.all((np.abs(left - right) <= 1e-12 * size)[kept])


def test_noise_models_of_the_house():
    """The densities of the project say the same, to rounding, far out too."""
    p, t = jnp.asarray(NUMBERS), jnp.asarray(NUMBERS[::-1])
    two = jnp.full(11, 2.0)
    coins = jnp.asarray([0.0, 1.0] * 5 + [0.0])
    pairs = [
        (densities.normal.logpdf(t, p, two), losses.squared_error(p, t) / 8 + np.log(2 * np.sqrt(2 * np.pi))),
        (densities.laplace.logpdf(t, p, two), losses.absolute_error(p, t) / 2 + np.log(4)),
        (densities.bernoulli.logpmf(coins, p), losses.binary_cross_entropy(p, coins)),
    ]
    for log_density, loss in pairs:
        np.testing.assert_allclose(-log_density, loss, rtol=1e-14, atol=0)
    logits, labels = some_logits()
    found = losses.softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(-densities.categorical.logpmf(labels, logits), found, rtol=1e-14)


@pytest.mark.parametrize("name,constant", [("huber", huber_constant()), ("log_cosh", np.log(np.pi))])
def test_constants_make_densities(name, constant):
    """To 1e-10, quad's own error: the exponential of minus loss and constant integrates to one."""
    exact = next(row for row in TABLE if row.name == name).exact
    edges = [-60.0, -1.345, 0.0, 1.345, 60.0]
    total = sum(
        integrate.quad(lambda r: float(mp.exp(-exact(0, mp.mpf(r)))), a, b, epsabs=1e-13)[0] for a, b in pairwise(edges)
    )
    assert abs(np.log(total) - constant) < 1e-10


@pytest.mark.parametrize("name", ["hinge", "exponential", "focal", "binary_cross_entropy"])
def test_what_is_no_noise_model_sums_to_no_constant(name):
    """Of exp(-loss) over both targets; the cross-entropy does, to one."""
    row = next(row for row in TABLE if row.name == name)
    total = np.exp(-everything(name)[0]).reshape(2, -1).sum(axis=0)
    if name == "binary_cross_entropy":
        np.testing.assert_allclose(total, 1.0, rtol=1e-14)
    else:
        assert total.max() > 1.2 * total.min()
        assert FACTS[getattr(row.loss, "func", row.loss)].noise_model == "none"


@pytest.mark.parametrize("row", [row for row in TABLE if row.optax], ids=lambda row: row.name)
def test_equals_optax(row):
    """To 1e-12 relative; to eps where optax cancels."""
    p, t = map(jnp.asarray, grid(row))
    np.testing.assert_allclose(everything(row.name)[0], row.optax(p, t), rtol=1e-12, atol=4 * EPS)


@pytest.mark.parametrize("row", [row for row in TABLE if row.metric], ids=lambda row: row.name)
def test_equals_the_metric_of_scikit_learn(row):
    """To 1e-12, relative, or absolute where it takes a difference or a probability near one."""
    p, t = grid(row)
    kept = np.abs(p) < 25 if row.seen is special.expit else np.ones(p.size, bool)
    found = [row.metric(target, seen) for seen, target in zip(row.seen(p)[kept], t[kept], strict=True)]
    bits = 1e-12 if row.seen is not special.expit else 1e-12 * np.exp(np.abs(p[kept]))
    assert np.all(np.abs(everything(row.name)[0][kept] - found) <= 1e-12 * np.abs(found) + bits)


def test_exponential_equals_scikit_learns():
    """Its targets are 0 and 1."""
    p = np.linspace(-3.0, 3.0, 13)
    for y in (0.0, 1.0):
        found = ExponentialLoss().loss(np.full(13, y), p)
        np.testing.assert_allclose(losses.exponential(p, 2 * y - 1), found, rtol=1e-14)


def some_logits():
    logits = 3.0 * jax.random.normal(jax.random.key(0), (6, 4))
    return logits.at[0, 1].set(45.0).at[1, 2].set(-900.0), jnp.asarray([1, 2, 3, 0, 1, 1])


def test_softmax_cross_entropy_of_labels_and_shares():
    """To 1e-12: optax, scikit-learn; a probability near one keeps its digits, which a difference would lose."""
    logits, labels = some_logits()
    found = losses.softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(
        found, optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels), rtol=1e-12, atol=1e-14
    )
    each = jax.nn.softmax(logits[2:])
    metric = metrics.log_loss(np.asarray(labels[2:]), np.asarray(each), labels=[0, 1, 2, 3])
    np.testing.assert_allclose(jnp.mean(found[2:]), metric, rtol=1e-12)
    shares = jax.nn.softmax(logits[::-1] / 7)
    np.testing.assert_allclose(
        losses.softmax_cross_entropy(logits, shares), optax.losses.softmax_cross_entropy(logits, shares), rtol=1e-12
    )
    smooth = optax.losses.softmax_cross_entropy(logits, optax.smooth_labels(jax.nn.one_hot(labels, 4), 0.1))
    np.testing.assert_allclose(losses.softmax_cross_entropy(logits, labels, 0.1), smooth, rtol=1e-12)
    others = [float(np.exp(x - 45.0)) for i, x in enumerate(np.asarray(logits[0])) if i != 1]
    np.testing.assert_allclose(found[0], np.log1p(sum(others)), rtol=1e-14)


def test_cross_entropy_is_log_softmax_then_nll():
    logits, labels = some_logits()
    shares = jax.nn.softmax(logits[::-1] / 7)
    for target in (labels, shares):
        found = losses.nll(jax.nn.log_softmax(logits), target)
        np.testing.assert_allclose(losses.softmax_cross_entropy(logits, target), found, rtol=1e-12, atol=1e-14)


def test_cross_entropy_is_entropy_and_kullback_leibler_divergence():
    """To 1e-12, with scipy's entropies."""
    logits, _ = some_logits()
    logits = logits[2:]
    shares, seen = np.asarray(jax.nn.softmax(logits[::-1] / 7)), np.asarray(jax.nn.softmax(logits))
    both = stats.entropy(shares, axis=1) + stats.entropy(shares, seen, axis=1)
    np.testing.assert_allclose(losses.softmax_cross_entropy(logits, jnp.asarray(shares)), both, rtol=1e-12)
    two = np.asarray([0.3, 0.7]), special.expit([-0.8, 0.8])
    pair = losses.binary_cross_entropy(0.8, 0.7)
    np.testing.assert_allclose(pair, stats.entropy(two[0]) + stats.entropy(*two), rtol=1e-12)


def test_classes_that_cannot_be():
    """A class of probability zero costs nothing unless it is the target; a single class is certain."""
    logits = jnp.asarray([0.0, -jnp.inf, 1.0])
    found = jax.jit(jax.value_and_grad(losses.softmax_cross_entropy))(logits, 2)
    assert np.isfinite(found[0]) & np.all(np.isfinite(found[1]))
    assert losses.softmax_cross_entropy(logits, 1) == jnp.inf
    assert losses.nll(logits, 1) == jnp.inf
    assert jax.value_and_grad(losses.softmax_cross_entropy)(jnp.asarray([3.0]), 0)[0] == 0.0


@pytest.mark.parametrize("loss", [losses.softmax_cross_entropy, losses.nll])
def test_labels_that_are_none_are_infinitely_lost(loss):
    scores = jnp.log(jnp.asarray([[0.2, 0.8]] * 5))
    found = loss(scores, jnp.asarray([-1.0, 2.0, 0.5, jnp.nan, 1.0]))
    assert np.isposinf(found[:3]).all()
    assert np.isnan(found[3])
    assert np.isposinf(loss(scores[0], jnp.asarray([-0.5, 1.5])))
    assert np.isnan(losses.softmax_cross_entropy(scores[0], 1, 1.5))


def test_profiled_squared_error_is_the_normal_at_its_best_scale():
    """To 1e-12: n/2 log MSE + n/2 (1 + log 2 pi) is the smallest over sigma of minus scipy's log-likelihood."""
    p, t = NUMBERS, np.sin(NUMBERS)
    best = np.sqrt(np.mean((t - p) ** 2))
    smallest = -stats.norm.logpdf(t, p, best).sum()
    found = losses.squared_error_profiled(p, t) + 5.5 * (1 + np.log(2 * np.pi))
    np.testing.assert_allclose(found, smallest, rtol=1e-12)
    assert all(-stats.norm.logpdf(t, p, best * f).sum() > smallest for f in (0.99, 1.01))


def test_smooth_quantile_is_the_mean_over_normal_shifts():
    """To 1e-10, quad's own error; and at a bandwidth near zero it is the loss with its corner, to 0.4 of it."""
    for r in (-1.3, 0.0, 0.4):
        exact, _ = integrate.quad(
            lambda z, r=r: float(losses.quantile(0.0, r + 0.5 * z, 0.7)) * stats.norm.pdf(z),
            -9,
            9,
            points=[-2 * r],
            epsabs=1e-12,
        )
        assert abs(float(losses.quantile(0.0, r, 0.7, 0.5)) - exact) < 1e-10
    gap = losses.quantile(NUMBERS, 0.0, 0.7, 1e-6) - losses.quantile(NUMBERS, 0.0, 0.7)
    assert np.all((gap >= -8 * EPS * np.abs(NUMBERS)) & (gap < 0.4e-6))


@pytest.mark.parametrize(
    "loss,numbers", [(losses.huber, (1.345,)), (losses.log_cosh, ()), (losses.quantile, (0.7, 0.5))]
)
def test_the_weight_is_the_curvature_of_a_parabola_above(loss, numbers):
    """It touches where it is taken, with the slope of the loss, and is nowhere below it."""
    weight, everywhere = FACTS[loss].weight, jnp.linspace(-50.0, 50.0, 2001)
    for at in (-40.0, -1.0, -1e-6, 0.3, 5.0):
        value, slope = jax.value_and_grad(loss)(at, 0.0, *numbers)
        step = everywhere - at
        above = value + slope * step + 0.5 * weight(at, 0.0, *numbers) * step**2
        assert np.all(above >= loss(everywhere, 0.0, *numbers) - 1e-12 * (1 + np.abs(above)))


@per_loss
def test_dtypes_shapes_and_transforms(row):
    """The prediction decides the dtype; jit and vmap change nothing but rounding."""
    p, t = grid(row)
    assert row.loss(p.astype(np.float32), t).dtype == jnp.float32
    assert row.loss(jnp.float32(p[0]), float(t[0])).dtype == jnp.float32
    assert row.loss(float(p[0]), t).dtype == jnp.float64
    assert row.loss(p[:2].reshape(2, 1), t[:2].reshape(2, 1)).shape == (2, 1)
    eager = row.loss(p, t)
    np.testing.assert_allclose(everything(row.name)[0], eager, rtol=1e-13, atol=1e-15)
    whole = t == np.round(t)
    np.testing.assert_array_equal(row.loss(p[whole], t[whole].astype(int)), eager[whole])


@per_loss
def test_float32_to_its_limit(row):
    """16 eps relative to the value, or what rounding the arguments does, to second order; derivatives finite."""
    p, t = grid(row)
    value, slope, _ = everything(row.name)
    loss = jax.jit(jax.vmap(jax.value_and_grad(row.loss)))
    found, first = map(np.asarray, loss(jnp.asarray(p, jnp.float32), jnp.asarray(t, jnp.float32)))
    eps = np.finfo(np.float32).eps
    rounding = 8 * eps * np.abs(slope) * (abs(p) + abs(t)) + (8 * eps) ** 2
    assert np.all(np.abs(found - value) <= 16 * eps * np.abs(value) + rounding)
    assert np.all(np.isfinite(first))


@per_loss
def test_wrong_targets_are_infinitely_lost_and_missing_ones_nan(row):
    for wrong in row.wrong:
        value, slope = jax.value_and_grad(row.loss)(0.3, wrong)
        assert value == jnp.inf
        assert slope == 0.0
    assert np.isnan(row.loss(0.3, jnp.nan))


@per_loss
def test_numbers_that_are_none_give_nan(row):
    for bad in row.bad:
        assert np.isnan(row.loss(0.3, 1.0, **bad))


def test_zero_one_has_no_gradient():
    assert jax.grad(losses.zero_one)(0.4, 1.0) == 0.0


def test_the_table_names_every_loss_and_fits_a_screen():
    text = losses.table()
    lines = text.splitlines()
    names = [name for name in losses.__all__ if name != "table"]
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(names)
    assert lines[0].split("  ")[0] == "loss"
    assert max(map(len, lines)) <= 120
    assert "huber                   normal, exponential tails  delta and the scale" in text
    assert sorted(loss.__name__ for loss in FACTS) == sorted(names)
    assert jm.losses is losses


@pytest.mark.parametrize("name", [name for name in losses.__all__ if name != "table"])
def test_docstrings_are_whole(name):
    loss = getattr(losses, name)
    text = inspect.getdoc(loss)
    for part in ("Noise model: ", "Args:", "Returns:", "Example:", ">>>", "Source: "):
        assert part in text, (name, part)
    assert ("Noise model: none" in text) == (FACTS[loss].noise_model == "none")
    assert list(inspect.signature(loss).parameters)[1] == "target"


@pytest.mark.parametrize(
    "loss,prediction,target,slope",
    [
        (losses.exponential, -800.0, 2.0, 0.0),
        (losses.poisson_deviance, 800.0, -1.0, 0.0),
        (losses.gamma_deviance, -800.0, -1.0, 0.0),
        (losses.huber, 1e308, 0.0, 1.0),
        (lambda p, y: losses.quantile(p, y, 0.3, 1e-3), 1e308, 0.0, 0.7),
    ],
    ids=["exponential", "poisson_deviance", "gamma_deviance", "huber", "quantile"],
)
def test_what_overflows_beside_a_loss_does_not_reach_its_slope(loss, prediction, target, slope):
    """At an impossible target, and far beyond the square or the bandwidth."""
    assert float(jax.grad(loss)(prediction, target)) == pytest.approx(slope, rel=1e-15)
    assert float(jax.hessian(loss)(prediction, target)) == 0.0
