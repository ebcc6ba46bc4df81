"""Scales that are parameters: a joint mode that does not exist is never returned, one that does is found."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import integrate, optimize, stats

import jaxmle as jm
from jaxmle.core import status as codes

NEAR, FAR = np.array([2.0, -1.0, 1.5, 0.5]), np.array([20.0, -10.0, 15.0, 5.0])
SD = np.array([1.0, 1.5, 2.0, 1.2])
PRIOR = jm.priors.hierarchical("theta", scale="tau", loc="mu")
SOLVERS = {"newton": None, "lbfgs": jm.solvers.LBFGS(), "adam": optax.adam(0.05)}


def rows(p, data):
    return jm.densities.normal.logpdf(data["y"], data["e"] @ p["theta"], data["sd"])


def groups(y, dtype=float):
    return jm.likelihood(rows, {"y": y.astype(dtype), "sd": SD.astype(dtype), "e": np.eye(4, dtype=dtype)})


def start(tau=10.0, dtype=float):
    return {
        "theta": jnp.zeros(4, dtype),
        "mu": jnp.zeros((), dtype),
        "tau": tau if not isinstance(tau, float) else jm.positive(jnp.asarray(tau, dtype)),
    }


def assert_no_mode(fit):
    assert not fit.ok
    assert int(fit.status) == codes.NO_JOINT_MODE, fit.message
    for what in ("diverging: there is no joint mode", "goes to zero", "jm.fixed", "inverse_gamma", "non-centred"):
        assert what in fit.message
    with pytest.raises(RuntimeError, match="no joint mode"):
        fit.raise_if_failed()


# The joint mode that does not exist


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", SOLVERS)
def test_no_solver_returns_a_mode_of_a_centred_hierarchical_prior(solver, dtype):
    """Into the spike (data near each other), and at a local maximum away from it."""
    for y in (NEAR, FAR):
        fit = jm.fit(groups(y, dtype) + PRIOR, start(dtype=dtype), solver=SOLVERS[solver])
        assert fit.z.dtype == dtype
        assert_no_mode(fit)


def test_a_local_maximum_is_no_estimate_and_has_no_standard_errors():
    """Spelled by hand, the same prior has a local maximum, which Newton's method rightly calls one."""
    by_hand = jm.fit(groups(FAR) + jm.log_prior(lambda p: PRIOR(p)), start(30.0))
    assert by_hand.ok, by_hand.message
    fit = jm.fit(groups(FAR) + PRIOR, start(30.0))
    assert_no_mode(fit)
    np.testing.assert_allclose(fit.params["tau"], by_hand.params["tau"], rtol=1e-6)
    collapsed = {"theta": jnp.zeros(4), "mu": 0.0, "tau": 1e-60}
    assert (groups(FAR) + PRIOR)(collapsed) > fit.value + 10.0
    inference = jm.infer(groups(FAR) + PRIOR, fit)
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(inference.bse))
    assert "DIVERGING" in str(jm.summary(groups(FAR) + PRIOR, fit))


def test_by_hand_and_in_the_spike_a_fit_is_unbounded():
    fit = jm.fit(groups(NEAR) + jm.log_prior(lambda p: PRIOR(p)), start())
    assert not fit.ok
    assert int(fit.status) == codes.UNBOUNDED, fit.message


@pytest.mark.parametrize(
    "more,how",
    [
        (jm.priors.half_cauchy("tau", 5.0), {}),
        (jm.priors.gamma("tau", a=2.0, scale=5.0), {}),
        (jm.priors.normal("mu", scale=3.0), {"jacobian": True}),
    ],
    ids=["half_cauchy", "gamma of two", "on the unconstrained scale"],
)
def test_a_prior_of_the_scale_that_does_not_vanish_fast_leaves_no_mode(more, how):
    assert_no_mode(jm.fit(groups(FAR) + PRIOR + more, start(), **how))


def test_a_scale_without_a_mark_or_a_half_of_the_prior_or_an_array_of_scales_is_seen_too():
    assert_no_mode(jm.fit(groups(FAR) + PRIOR, {**start(), "tau": 10.0}))
    assert_no_mode(jm.fit(groups(FAR) + 0.5 * PRIOR, start()))
    each = jm.priors.hierarchical(lambda p: p["theta"].reshape(2, 2), scale="tau")
    assert_no_mode(jm.fit(groups(FAR) + each, {"theta": jnp.zeros(4), "tau": jm.positive(jnp.ones(2))}))


def test_a_random_walk_of_unknown_scale_is_seen_through_its_differences():
    walk = jm.priors.hierarchical(lambda p: jnp.diff(p["theta"]), scale="tau")
    assert_no_mode(jm.fit(groups(FAR) + walk, start()))


def test_every_lane_is_told_by_itself():
    """Under vmap, with gamma priors of the scale that vanish too slowly and fast enough; and in a batch."""

    def status(a):
        return jm.fit(groups(FAR) + PRIOR + jm.priors.gamma("tau", a, 5.0), start()).status

    assert jax.jit(jax.vmap(status))(jnp.array([2.0, 12.0, 4.0])).tolist() == [24, 0, 24]
    data = {"y": np.stack([NEAR, FAR]), "sd": np.stack([SD] * 2), "e": np.stack([np.eye(4)] * 2)}
    fits = jm.fit_batch(jm.likelihood(rows, data) + PRIOR, start())
    assert fits.status.tolist() == [codes.NO_JOINT_MODE] * 2
    assert not fits.ok.any()
    assert all("no joint mode" in message for message in fits.message)
    held = jm.fit_batch(jm.likelihood(rows, data) + PRIOR, start(jm.fixed(10.0)))
    assert held.ok.all()


# Joint modes that do exist


def test_with_its_scale_held_it_is_the_normal_prior():
    held = jm.fit(groups(FAR) + PRIOR, start(jm.fixed(3.0)))
    normal = jm.priors.normal(lambda p: p["theta"] - p["mu"], scale=3.0)
    same = jm.fit(groups(FAR) + normal, start(jm.fixed(3.0)))
    assert held.ok, held.message
    np.testing.assert_allclose(held.z, same.z, rtol=1e-12)
    np.testing.assert_allclose(held.value, same.value, rtol=1e-13)


@pytest.mark.parametrize(
    "more,log_density",
    [
        (jm.priors.inverse_gamma("tau", 2.0, 5.0), lambda tau: stats.invgamma.logpdf(tau, 2.0, scale=5.0)),
        (jm.priors.gamma("tau", 12.0, 2.0), lambda tau: stats.gamma.logpdf(tau, 12.0, scale=2.0)),
    ],
    ids=["inverse_gamma", "gamma of more than the numbers"],
)
def test_a_prior_that_vanishes_fast_enough_makes_the_mode_exist(more, log_density):
    """Against a search by scipy; theta and mu are those of the normal model at every tau."""
    fit = jm.fit(groups(FAR) + PRIOR + more, start())
    assert fit.ok, fit.message

    def minus(log_tau):
        tau = np.exp(log_tau)
        pull = 1.0 / (SD**2 + tau**2)  # both out of the way: theta at its mode given mu, mu at its own
        mu = np.sum(pull * FAR) / np.sum(pull)
        theta = (FAR * tau**2 + mu * SD**2) * pull
        inner = stats.norm.logpdf(FAR, theta, SD).sum() + stats.norm.logpdf(theta, mu, tau).sum()
        return -inner - log_density(tau)

    best = optimize.minimize_scalar(minus, bounds=(0.0, 6.0), method="bounded", options={"xatol": 1e-9})
    assert float(fit.value) == pytest.approx(-best.fun, rel=1e-10)
    assert float(fit.params["tau"]) == pytest.approx(np.exp(best.x), rel=1e-6)


def test_written_non_centred_there_is_a_mode():
    def by_scale(p, data):
        return rows({"theta": p["mu"] + p["tau"] * p["z"]}, data)

    term = jm.likelihood(by_scale, {"y": FAR, "sd": SD, "e": np.eye(4)})
    posterior = term + jm.priors.normal("z") + jm.priors.half_normal("tau", 10.0)
    fit = jm.fit(posterior, {"z": jnp.zeros(4), "mu": 0.0, "tau": jm.positive(5.0)})
    assert fit.ok, fit.message


def test_numbers_that_cannot_go_to_their_centre_hold_the_scale():
    """Held fixed they are a sample: mu is their mean and tau their standard deviation."""
    fit = jm.fit(groups(FAR) + PRIOR, {**start(), "theta": jm.fixed(FAR)})
    assert fit.ok, fit.message
    np.testing.assert_allclose([fit.params["mu"], fit.params["tau"]], [FAR.mean(), FAR.std()], rtol=1e-8)


def test_a_scale_with_a_floor_ends_on_it():
    fit = jm.fit(groups(NEAR) + PRIOR, start(jm.interval(1.0, lower=0.1)))
    assert not fit.ok
    assert int(fit.status) == codes.BOUNDARY, fit.message
    assert "tau goes to 0.1" in fit.message


def test_the_derivative_of_a_fit_passes_through():
    """The mode of theta in the data, by finite differences."""

    def first(y):
        posterior = groups_of(y) + PRIOR + jm.priors.inverse_gamma("tau", 2.0, 5.0)
        return jm.fit(posterior, start()).params["theta"][0]

    def groups_of(y):
        return jm.likelihood(rows, {"y": y, "sd": jnp.asarray(SD), "e": jnp.eye(4)})

    slope = jax.grad(first)(jnp.asarray(FAR))
    step = 1e-4 * np.eye(4)[1]
    want = (first(jnp.asarray(FAR + step)) - first(jnp.asarray(FAR - step))) / 2e-4
    assert float(slope[1]) == pytest.approx(float(want), rel=1e-6)


# The horseshoe


def local(x, lam, scale, slab=np.inf):
    width = 1.0 / np.sqrt(1.0 / (scale * lam) ** 2 + 1.0 / slab**2)
    return stats.norm.logpdf(x, 0.0, width) + stats.halfcauchy.logpdf(lam)


@pytest.mark.parametrize("x", [1e-3, 0.3, 1.3, 2.0, 9.0, 80.0])
def test_the_horseshoe_is_a_mixture_over_its_local_scales(x):
    """Integrated numerically over the arctangent of lambda, which the half Cauchy makes uniform; quad gives 1e-9."""
    got = jm.priors.horseshoe("x", scale=1.4)({"x": x})

    def density(angle):
        return stats.norm.pdf(x, 0.0, 1.4 * np.tan(angle)) * 2.0 / np.pi

    where = np.arctan(x / 1.4 * np.array([0.1, 1.0, 10.0]))
    ends = [0.0, *where, np.pi / 2]
    pieces = [integrate.quad(density, a, b, epsabs=0.0)[0] for a, b in itertools.pairwise(ends)]
    assert float(got) == pytest.approx(np.log(sum(pieces)), rel=1e-8)


def test_the_joint_horseshoe_and_the_regularised_one():
    x, lam = np.array([0.5, -2.0, 3.0]), np.array([0.2, 1.0, 4.0])
    params = {"x": x, "lam": lam, "tau": 0.7, "c": 2.0}
    plain = jm.priors.horseshoe("x", "tau", local="lam")(params)
    assert float(plain) == pytest.approx(local(x, lam, 0.7).sum(), rel=1e-13)
    for slab in (2.0, "c", lambda p: p["c"]):
        slabbed = jm.priors.horseshoe("x", 0.7, local="lam", slab=slab)(params)
        assert float(slabbed) == pytest.approx(local(x, lam, 0.7, 2.0).sum(), rel=1e-13)


def test_a_horseshoe_far_out_is_finite_with_its_slopes_and_infinite_at_zero():
    prior = jm.priors.horseshoe("x", scale=1.0)
    xs = jnp.array([1e-150, 1e-8, 1.0, 2.0**0.5, 1e8, 1e150])
    values, slopes = jax.vmap(jax.value_and_grad(lambda x: prior({"x": x})))(xs)
    assert np.isfinite(values).all()
    assert np.all(slopes < 0)
    np.testing.assert_allclose(slopes[-2] * xs[-2], -2.0, rtol=1e-8)  # log(1 / x^2)
    assert float(prior({"x": 0.0})) == np.inf


@pytest.mark.parametrize("theta", [np.zeros(4), FAR], ids=["from zero", "from the data"])
@pytest.mark.parametrize("kind", ["marginal", "joint", "slab"])
def test_a_horseshoe_has_no_mode(kind, theta):
    make = {
        "marginal": functools.partial(jm.priors.horseshoe, "theta", 2.0),
        "joint": functools.partial(jm.priors.horseshoe, "theta", 2.0, "lam"),
        "slab": functools.partial(jm.priors.horseshoe, "theta", "tau", "lam", 10.0),
    }[kind]
    begin = {"theta": jnp.asarray(theta)}
    if kind != "marginal":
        begin["lam"] = jm.positive(jnp.ones(4))
    if kind == "slab":
        begin["tau"] = jm.positive(1.0)
    more = jm.priors.half_cauchy("tau") if kind == "slab" else jm.priors.flat()
    fit = jm.fit(groups(FAR) + make() + more, begin)
    assert_no_mode(fit)
    assert "a horseshoe has no mode whatever its scale" in fit.message


# Messages


def test_what_cannot_be_says_so():
    with pytest.raises(TypeError, match=r"is a parameter.*not 2.0.*jm.priors.normal\(where, scale=2.0\)"):
        jm.priors.hierarchical("theta", scale=2.0)
    with pytest.raises(ValueError, match=r"regularised horseshoe has no closed form.*local='lambda'"):
        jm.priors.horseshoe("x", 1.0, slab=2.0)
    with pytest.raises(ValueError, match=r"the scale of jm.priors.horseshoe must be positive.* 0.0"):
        jm.priors.horseshoe("x", 0)
    with pytest.raises(KeyError, match="no parameter is called 'tua'"):
        jm.fit(groups(FAR) + jm.priors.hierarchical("theta", scale="tua"), start())
    two = {"x": {"a": 1.0, "b": 2.0, "c": 3.0}, "s": {"a": 1.0, "b": 2.0}}
    with pytest.raises(ValueError, match=r"a prior over 3 leaves takes one scale .* given 2"):
        jm.priors.hierarchical("x", scale="s")(two)
    with pytest.raises(ValueError, match=r"array of shape \(3,\).*has shape \(4,\)"):
        jm.priors.hierarchical("theta", scale="s")({"theta": jnp.ones(4), "s": jnp.ones(3)})
