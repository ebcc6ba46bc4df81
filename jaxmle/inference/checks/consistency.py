"""A check that a model's density, its samples and its derivatives belong together."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jaxtyping import Array, Float

from jaxmle.core import linalg
from jaxmle.core.evaluation import EXPECTED
from jaxmle.core.tree import is_traced
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import Asked
from jaxmle.inference.door import check_key, check_one_fit
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.resampling.resample import PARAMETRIC, Scheme
from jaxmle.parameters.space import Space
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

LEVEL = 1e-3
_NAMES = ("scores have mean zero", "their variance is the curvature", "the expected information is the curvature")


class Consistency(Printed):
    """How simulated responses agree with a density. Made by :func:`check_consistency`; ``print`` shows it.

    Three tests: scores have mean zero; their variance is the mean curvature; the expected information is that too (NaN
    where there is none in closed form). ``statistics`` (3,) are the largest t-statistics over parameters, or pairs of
    them, ``pvalues`` (3,) what they are worth among so many, ``worst`` (3, 2) the numbers of z they are about.
    """

    statistics: Float[Array, "3"]
    pvalues: Float[Array, "3"]
    worst: Any
    space: Space
    draws: int = eqx.field(static=True)

    @property
    def ok(self):
        """Whether no test says otherwise, at a level of 0.001."""
        good = jnp.all(~(self.pvalues < LEVEL), axis=-1)
        return good if is_traced(good) else np.asarray(good) if np.ndim(good) else bool(good)

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch."""
        refuse_batch(self.pvalues, 1, "checks")
        labels, worst = self.space.z_labels(), np.asarray(self.worst)
        values = zip(np.asarray(self.statistics), np.asarray(self.pvalues), strict=True)
        where = [labels[i] if i == j else f"{labels[i]}, {labels[j]}" for i, j in worst.tolist()]
        rows = (Row(n, (float(t), float(p), w)) for n, (t, p), w in zip(_NAMES, values, where, strict=True))
        bad = "; ".join(name for name, p in zip(_NAMES, np.asarray(self.pvalues), strict=True) if p < LEVEL)
        note = (
            f"Not so: {bad}. The sample function of the density and its log-density do not belong together, or one is"
        )
        note += " wrong; or rows are too few for a t-test of what is simulated."
        return Table(
            title="Consistency of density and samples",
            header=(("Simulations", str(self.draws)), ("Verdict", "consistent" if self.ok else "INCONSISTENT")),
            columns=("largest t", "p-value", "of"),
            formats=("statistic", "pvalue", "coefficient"),
            rows=tuple(rows),
            notes=(note,) if bad else (),
        )


def check_consistency(objective: Term | Problem, fit: Fit, key: Any, draws: int = 400) -> Consistency:
    r"""Whether responses simulated at the estimate have scores of mean zero and variance equal to the information.

    That is so for every density that is right (Bartlett's identities); where it is not, the density does not integrate
    to one, depends on its parameters where its support ends, or its ``sample`` draws from another.

    Arguments: ``objective``, what was fitted, regressions whose densities have a ``sample``, without weights (priors
    have no part in it); ``fit``, its fit, or ``jm.Fit.at`` other values; ``key``, a random key; ``draws``, how many
    times all responses are simulated.

    Returns a :class:`Consistency`; ``print`` shows it. P-values are of t-tests over the draws, Bonferroni's for as many
    as there are parameters, or pairs of them. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` where responses cannot be simulated.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0, 7.0]))
    >>> jm.check_consistency(problem, jm.fit(problem), jax.random.key(1)).ok
    True

    Source: Bartlett (1953), "Approximate confidence intervals"; White (1982) on the information matrix test.
    """
    check_one_fit(fit, "jm.check_consistency")
    check_key(key)
    space = fit.space.unlabelled
    likelihoods = Asked(as_problem(objective).objective, space, fit.z).likelihoods()
    scheme = Scheme.of(PARAMETRIC, likelihoods, space, fit.z)
    known = all(hasattr(getattr(term, "density", None), "information") for term in likelihoods.terms)
    statistics, pvalues, worst = _tests(scheme, jax.random.split(key, draws), known)
    return Consistency(statistics, pvalues, worst, fit.space, draws)


def _simulated_tests(scheme: Scheme, keys, known: bool):
    space, z = scheme.space, scheme.z

    def one(key):
        simulated: Any = eqx.combine(scheme.own(key), scheme.objective)
        evaluation: Any = evaluate_in_z(simulated, space, z, 2)
        return evaluation.gradient, evaluation.curvature

    scores, curvatures = jax.lax.map(one, keys)
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(jnp.mean(curvatures, axis=0))))
    scores = scores / scale[None, :]
    curvatures = curvatures / scale[None, :, None] / scale[None, None, :]
    outer = scores[:, :, None] * scores[:, None, :]
    tests = [_largest(scores[:, :, None] * jnp.eye(z.size, dtype=z.dtype)[None, :, :]), _largest(outer - curvatures)]
    if known:
        exact: Any = evaluate_in_z(scheme.objective, space, z, 2, False, EXPECTED)
        expected = linalg.unit_diagonal(exact.curvature, scale)
        tests.append(_largest(expected[None, :, :] - curvatures))
    else:
        nan = jnp.asarray(jnp.nan, z.dtype)
        tests.append((nan, nan, jnp.zeros(2, tests[0][2].dtype)))
    return tuple(jnp.stack(column) for column in zip(*tests, strict=True))


_tests = jax.jit(_simulated_tests, static_argnames="known")


def _largest(values: Float[Array, "r m m"]):
    """The largest t-statistic of mean zero over the entries, in units in which they are of size one, its p-value, and
    where it is."""
    mean, error = jnp.mean(values, axis=0), jnp.std(values, axis=0, ddof=1) / values.shape[0] ** 0.5
    slack = 1e3 * float(jnp.finfo(values.dtype).eps) * jnp.maximum(1.0, jnp.max(jnp.abs(values)))
    error = jnp.maximum(error, slack / values.shape[0] ** 0.5)  # what does not vary has to be zero to rounding
    t = jnp.where(jnp.abs(mean) <= slack, 0.0, jnp.abs(mean) / jnp.where(error > 0, error, 1.0))
    place = jnp.argmax(t)
    size = values.shape[1]
    count = 0.5 * size * (size + 1)
    largest = t.ravel()[place]
    pvalue = jnp.minimum(1.0, count * erfc(largest / jnp.sqrt(jnp.asarray(2.0, t.dtype))))
    return largest, pvalue, jnp.stack([place // size, place % size])
