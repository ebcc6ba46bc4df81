"""What a fitted likelihood says about its parameters."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxmle.inference.asked import is_mle
from jaxmle.inference.direction import describe_direction
from jaxmle.inference.door import as_alpha
from jaxmle.inference.interval import interval_trees
from jaxmle.inference.printed import Printed
from jaxmle.inference.report import report
from jaxmle.inference.tidy import glance, tidy
from jaxmle.parameters.space import Space
from jaxmle.tables import Table


class Inference(Printed):
    """Estimates with their uncertainty. Made by :func:`jaxmle.infer`; ``print`` shows it as a table.

    ``params``, ``bse`` (standard errors), ``zvalues`` and ``pvalues`` (two-sided, of zero) are trees shaped like
    params, NaN where something is fixed or has no standard error. ``cov`` is the covariance matrix over the unfixed
    scalars of params in tree order. ``llf`` is the log-likelihood without prior; ``logprior`` the prior's part; ``aic``
    and ``bic`` are NaN with a prior, sampling weights or ``losses``, of which ``llf`` is minus the sum, and where the
    fit found no maximum whose parameters can be counted (it failed, is flat or on the boundary, or stopped short, as of
    values given, or this is not the objective that it fitted). ``rounding`` is the rounding error of ``llf`` and
    ``logprior``. ``newton_decrement`` is how far from the maximum the estimate is: half its square is the log-posterior
    that a Newton step by the observed curvature would still bring: infinite where that is the curvature of no maximum,
    NaN where it leaves a direction free, or a prior has kinks. ``nobs`` is the sum of the case weights. ``eigenvalues``
    are the smallest and the largest of the information in z. The columns of ``directions`` that are not zero are the
    directions in z without curvature (the data leave them free) or, where ``indefinite``, some that curve upward.
    ``sides`` is -1 or 1 for numbers of z whose parameter is at its lower or upper limit, and ``direction`` is that of
    the fit, its last step. ``facts`` are the numbers behind the covariance: how many ``groups``, ``lags`` or ``draws``,
    the small-sample ``factor``. In a batch every array has a leading axis.
    """

    params: Any
    bse: Any
    zvalues: Any
    pvalues: Any
    cov: Float[Array, "p p"]
    llf: Float[Array, ""]
    rounding: Float[Array, ""]
    logprior: Float[Array, ""]
    aic: Float[Array, ""]
    bic: Float[Array, ""]
    nobs: Float[Array, ""]
    newton_decrement: Float[Array, ""]
    eigenvalues: Float[Array, "2"]
    status: Int[Array, ""]
    z: Float[Array, " m"]
    bse_z: Float[Array, " m"]
    directions: Float[Array, "m m"]
    indefinite: Bool[Array, ""]
    sides: Int[Array, " m"]
    direction: Float[Array, " m"]
    facts: dict[str, Any]
    space: Space
    covariance: str = eqx.field(static=True)
    weights: str = eqx.field(static=True)
    has_prior: bool = eqx.field(static=True)
    is_scaled: bool = eqx.field(static=True)
    is_rough: bool = eqx.field(static=True)
    jacobian: bool = eqx.field(static=True)
    name: str = eqx.field(static=True)
    remarks: Callable | None = eqx.field(static=True, default=None)
    losses: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def is_mle(self) -> bool:
        """Whether a maximum of what was maximised is a maximum likelihood estimate; not with a prior, a number in front
        of a likelihood, a loss, the log-jacobian or sampling weights."""
        return is_mle(self.has_prior, self.is_scaled, self.jacobian, self.weights)

    def conf_int(self, alpha: float = 0.05) -> tuple[Any, Any]:
        """The lower and upper ends of the intervals at confidence ``1 - alpha``, two trees shaped like params.

        An interval is formed in z and mapped to the parameter where its constraint works number by number, so that
        that of a positive parameter is positive; elsewhere it is the estimate plus and minus the normal quantile
        times its standard error. NaN where there is no standard error; a parameter at its limit has an interval that
        begins or ends there, and NaN for the other end.

        Errors: ``ValueError`` for an ``alpha`` that is not between 0 and 1.

        Source: Wald (1943); Pawitan (2001), "In All Likelihood", section 2.9 on the choice of scale.
        """
        alpha = as_alpha(alpha)
        if np.ndim(self.status):
            return jax.vmap(lambda lane: lane.conf_int(alpha))(self)
        return interval_trees(self.space, self.z, self.bse_z, self.bse, self.sides, alpha)

    def table(self, alpha: float = 0.05) -> Table:
        """The table that ``print`` shows, with intervals at confidence ``1 - alpha``.

        Raises ``ValueError`` for a batch (take a lane first, ``jax.tree.map(lambda x: x[0], inference)``), and for an
        ``alpha`` that is not between 0 and 1.
        """
        return report(self, as_alpha(alpha))

    def free_directions(self) -> list[str]:
        """The combinations of parameters without positive curvature, in words; empty where all are identified."""
        return [
            describe_direction(column, self.space.z_labels())
            for column in np.asarray(self.directions).T
            if np.any(column != 0)
        ]

    def tidy(self, alpha: float = 0.05):
        """A pandas data frame with a row for each unfixed number and broom's columns: term, estimate, std.error,
        statistic, p.value, conf.low, conf.high.

        Raises ``ValueError`` for a batch, ``ImportError`` without pandas.

        Source: Robinson, Hayes and Couch, the R package broom.
        """
        return tidy(self, alpha)

    def glance(self):
        """A pandas data frame of one row with what is said of the fit as a whole, in broom's columns: logLik, AIC,
        BIC, nobs, df, and converged, covariance.

        Raises ``ValueError`` for a batch, ``ImportError`` without pandas.
        """
        return glance(self)
