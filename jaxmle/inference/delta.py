"""The standard error of anything that is computed from the parameters."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.core.tree import named_leaves, where_function
from jaxmle.fitting.result import Fit
from jaxmle.inference.carry import carried, covariance_for, errors, from_scalars, normal_quantile, where_finite
from jaxmle.inference.door import as_alpha, check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.printed import Printed, ends_of, refuse_batch
from jaxmle.parameters.layout import element_names
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


class Derived(Printed):
    """A function of the parameters with its uncertainty. Made by :func:`delta`; ``print`` shows it.

    ``value``, ``bse`` (standard errors), ``lower`` and ``upper`` are trees shaped like what the function returned;
    ``cov`` is the covariance over its numbers in tree order. ``alpha`` is that of the interval.
    """

    value: Any
    bse: Any
    lower: Any
    upper: Any
    cov: Float[Array, "k k"]
    alpha: Any

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch: take a lane first."""
        refuse_batch(self.alpha, 0, "derived numbers")
        return Table(
            title="Derived from the parameters (delta method)",
            header=(),
            columns=("value", "std err", *ends_of(float(self.alpha))),
            formats=("coefficient", "statistic", "statistic", "statistic"),
            rows=tuple(self._rows()),
            notes=tuple(self._notes()),
        )

    def _notes(self):
        """What has no finite value."""
        values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(self.value)])
        lost = [label for label, value in zip(names_of(self.value), values, strict=True) if not np.isfinite(value)]
        if lost:
            yield (
                f"Not finite at the estimate, so without a standard error: {', '.join(lost)}. Such is the log or the "
                "root of a negative number; if the fit is an estimate, check the function."
            )

    def _rows(self):
        trees = (self.value, self.bse, self.lower, self.upper)
        columns = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in trees]
        for i, label in enumerate(names_of(self.value)):
            yield Row(label, tuple(float(column[i]) for column in columns))


def delta(
    objective: Term | Problem, fit: Fit, g: Callable | str, *, covariance: Any = None, alpha: float = 0.05
) -> Derived:
    r"""The value, standard error and interval of ``g(params)`` by the delta method.

    With G the derivative of g at the estimate and V the covariance of the parameters, the covariance of g is
    ``G V G'``; an interval is the value plus and minus the normal quantile times the standard error.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem.
        fit: the fit, by whomever.
        g: a function of params that returns a floating number, an array, or a tree of them; or the path of a leaf.
        covariance: a kind of :func:`jaxmle.infer` (by default its own), what ``jm.infer`` returned for this fit, or a
            matrix over the unfixed scalars of params.
        alpha: the interval is at confidence ``1 - alpha``.

    Returns a :class:`Derived`; ``print`` shows it. NaN where a number that ``g`` moves with has no covariance (what
    does not move with it keeps its error), and where ``g`` itself is not finite. A number that depends on no free
    parameter has standard error zero. So has, to the first order, one whose derivative vanishes at the estimate: there
    the delta method says nothing.

    Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` where ``g`` returns nothing, or what is not floating numbers, or cannot be traced;
    ``KeyError`` for a path that is none; ``ValueError`` for a covariance of another fit, a batch of fits, an ``alpha``
    that is not between 0 and 1, and those of ``jm.infer``.

    Example: the odds of a coin from its probability; by hand the standard error is sqrt(p / n / (1 - p)^3).

    >>> import jaxmle as jm
    >>> problem = jm.models.bernoulli([1, 0, 1, 1])
    >>> odds = jm.delta(problem, jm.fit(problem), lambda params: params["p"] / (1.0 - params["p"]))
    >>> round(float(odds.value), 4), round(float(odds.bse), 4)
    (3.0, 3.4641)

    Source: Cramér (1946), section 28.4; Oehlert (1992), "A note on the delta method".
    """
    check_one_fit(fit, "jm.delta")
    alpha, cov = as_alpha(alpha), covariance_for(objective, fit, covariance)
    with foreign_fit(fit) if callable(g) else nullcontext():  # a path that is none says so itself
        return _delta(where_function(g), fit.space.unlabelled, fit.z, cov, alpha)


@compiled
def _delta(g, space, z, cov, alpha):
    params, scalars = from_scalars(space, z)
    leaves, treedef = jax.tree_util.tree_flatten(g(params(scalars)))
    _check_numbers(leaves)
    shapes = [jnp.shape(leaf) for leaf in leaves]

    def numbers(scalars):
        return jnp.concatenate([jnp.ravel(leaf).astype(z.dtype) for leaf in jax.tree.leaves(g(params(scalars)))])

    def as_value(flat):
        cuts = np.cumsum([int(np.prod(shape, dtype=int)) for shape in shapes])[:-1]
        parts = zip(jnp.split(flat, cuts), shapes, strict=True)
        return treedef.unflatten([part.reshape(shape) for part, shape in parts])

    value = numbers(scalars)
    jacobian = where_finite(jax.jacfwd(numbers)(scalars), value)
    bse = errors(jacobian, cov)
    wide = normal_quantile(alpha, z.dtype) * bse
    ends = as_value(value - wide), as_value(value + wide)
    return Derived(as_value(value), as_value(bse), *ends, carried(jacobian, cov), jnp.asarray(alpha, z.dtype))


def _check_numbers(leaves):
    if not leaves:
        raise TypeError("g returned nothing: return a number, an array, or a tree of them")
    for leaf in leaves:
        kind = float if type(leaf) is float else getattr(leaf, "dtype", None)
        if kind is None or not jnp.issubdtype(kind, jnp.floating):
            raise TypeError(
                f"g must return floating numbers, which have derivatives; it returned {kind or type(leaf).__name__}: a "
                "count, a label or a yes has no standard error by the delta method"
            )


def names_of(tree) -> list[str]:
    """A label for each number of ``tree``, in tree order; "value" for a bare number or array."""
    return [label for name, leaf in named_leaves(tree) for label in element_names(name or "value", np.shape(leaf))]
