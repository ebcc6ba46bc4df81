"""A log-prior: a log-density of params alone."""

from collections.abc import Callable
from typing import ClassVar

import jax.numpy as jnp

from jaxmle.core.evaluation import OBSERVED, Evaluation, derivatives
from jaxmle.core.signature import check_returned, check_takes
from jaxmle.core.tree import as_leaf
from jaxmle.terms.objective import Term, flatten_point
from jaxmle.terms.without_data import WithoutData


class LogPrior(WithoutData):
    """A log-prior from a function of params. Made by :func:`log_prior`.

    ``spike``, where there is one, gives the :class:`jaxmle.terms.spike.Spike` at params: where its density may be
    infinite, so that a fit can tell whether the log-posterior has a bound.
    """

    function: Callable
    spike: Callable | None = None
    is_likelihood: ClassVar[bool] = False

    def log_density(self, params):
        """The log-density at ``params``, a scalar."""
        value = self.function(params)
        check_returned(value, "a log-prior", "one number")
        if jnp.ndim(value) != 0:
            raise ValueError(
                f"a log-prior returns one number; it returned an array of shape {jnp.shape(value)}: sum it with jnp.sum"
            )
        return value

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        flat, cut = flatten_point(point)
        value, gradient, hessian = derivatives(lambda flat: self.log_density(lift(cut(flat))), flat, order)
        value = jnp.asarray(value, flat.dtype)
        observed = None if hessian is None else -hessian
        return Evaluation(jnp.zeros_like(value), value, jnp.abs(value), gradient, observed)


def log_prior(function: Callable) -> Term:
    """A log-prior: ``function(params)`` gives its log-density, a scalar, in the parameters as the user wrote them.

    The mode it leads to is that of the density in these parameters: no Jacobian of a constraint is added (ask
    ``jm.fit`` for it with ``jacobian=True``).

    Errors: ``TypeError`` for what is no function of params alone; ``ValueError`` from ``jm.fit`` where the function
    returns an array.

    >>> import jax.numpy as jnp
    >>> term = log_prior(lambda params: -0.5 * jnp.sum(params["beta"] ** 2))
    >>> float(term({"beta": jnp.ones(2)}))
    -1.0

    Source: Jeffreys (1961), "Theory of Probability", section 4.0.
    """
    if not callable(function):
        raise TypeError(f"jm.log_prior takes a function of params, not a {type(function).__name__}")
    instead = "what it needs besides goes in by functools.partial; what depends on data is a jm.likelihood"
    check_takes(function, 1, "a log-prior is called as function(params), without data", instead)
    return LogPrior(as_leaf(function))
