"""The log-likelihood of a million rows: how fast are value and gradient of each density beside scipy's value?"""

import functools
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks.density_families import DISCRETE, FAMILIES
from benchmarks.measure import Row, timer, worst
from benchmarks.question import Skip, Target, spread
from jaxmle.terms.objective import whole_tree

SIZE, SMALL = 1_000_000, 2_000
CHECKED = 500  # rows whose gradient is compared with differences of the peer's values
SCIPY, NUMPYRO, OURS = "scipy or NumPy, value only", "numpyro", "jaxmle"
PEERS = (SCIPY, NUMPYRO, OURS)
SHARDED = (OURS,)


def _text(name, n):
    return f"{name}, {n:,} rows"


TARGETS = tuple(Target(_text(name, SIZE), "jaxmle, 2 devices", SCIPY, least=5) for name in FAMILIES)


def rows(who: str, small: bool):
    """A row for each density that ``who`` has; the error is that of the value, and of the gradient on a few rows."""
    if who == NUMPYRO and importlib.util.find_spec("numpyro") is None:
        raise Skip("numpyro is not installed")
    for name, family in FAMILIES.items():
        if who != NUMPYRO or family.numpyro is not None:
            yield _row(name, family, who, SMALL if small else SIZE, timer(small))


def _row(name, family, who, n, time):
    y = _sample(name, family, n)
    run = _ready(name, family, who, y)
    first, warm = time(run)
    found = run()
    error = worst(found if who == SCIPY else found[0], _value(family, family.parameters, y))
    if who != SCIPY:
        few = _ready(name, family, who, y[:CHECKED])()[1]
        error = max(error, worst(_flat(few), _flat(_differences(family, y[:CHECKED]))))
    devices = len(jax.devices())
    label = f"jaxmle, {devices} device{'s' * (devices > 1)}" if who == OURS else who
    return Row(_text(name, n), label, first, warm, error, "of the largest entry", "float64")


def _sample(name, family, n):
    """A sample of the density, as floats."""
    density = getattr(jm.densities, name)
    parameters = jax.tree.map(jnp.asarray, {**family.parameters, **family.drawn, **family.known})
    return np.asarray(density.sample(jax.random.key(0), **parameters, shape=(n,)), dtype=np.float64)


def _ready(name, family, who, y):
    """What is timed: a call that gives the value, and its gradient unless ``who`` has none."""
    if who == SCIPY:
        return lambda: _value(family, family.parameters, y)
    here = jax.tree.map(jnp.asarray, family.parameters)
    if who == NUMPYRO:
        return functools.partial(_of_numpyro(family), here, jnp.asarray(y, int if name in DISCRETE else float))
    return functools.partial(evaluate, spread(jm.likelihood(_log_density(name, family), jnp.asarray(y))), here)


@jax.jit
def evaluate(objective, params):
    """Value and gradient of ``objective`` at ``params``."""
    lift, point = whole_tree(params)
    evaluation = objective.evaluate(lift, point, 1)
    return evaluation.value, evaluation.gradient


def _log_density(name, family):
    density = getattr(jm.densities, name)
    function = getattr(density, "logpdf", None) or density.logpmf
    return lambda params, y: function(y, **params, **family.known)


def _of_numpyro(family):
    import numpyro.distributions as d

    d.Distribution.set_default_validate_args(False)
    return jax.jit(jax.value_and_grad(lambda params, y: family.numpyro(d, **params, **family.known).log_prob(y).sum()))


def _value(family, parameters, y):
    return family.peer(y, **parameters, **family.known).sum()


def _differences(family, y, relative=2e-4):
    """The gradient of the peer's value, by differences over five points."""

    def slope(name, index):
        middle = np.asarray(family.parameters[name], dtype=np.float64)
        step = np.zeros_like(middle)
        step[index] = relative * max(1.0, abs(middle[index]))
        at = [_value(family, {**family.parameters, name: middle + k * step}, y) for k in (-2, -1, 1, 2)]
        return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step[index])

    def slopes(name):
        shape = np.shape(family.parameters[name])
        return np.array([slope(name, index) for index in np.ndindex(shape)]).reshape(shape)

    return {name: slopes(name) for name in family.parameters}


def _flat(gradient):
    """The entries as one vector, in the order of the names."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])
