"""Penalties: priors in the other spelling, by their strength instead of their scale."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxmle.priors.group_laplace import of_strength as groups_of_strength
from jaxmle.priors.laplace import of_strength as laplace_of_strength
from jaxmle.priors.normal import normal
from jaxmle.priors.smoothing import smoothing as random_walk
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior
from jaxmle.terms.rough import RoughPrior


def l2(where: str | Callable, strength: Any) -> LogPrior:
    """Ridge, L2, weight decay: ``-strength * sum(x ** 2)``, up to the constant that makes it the normal prior.

    ``l2(where, 1 / (2 s ** 2))`` *is* ``jm.priors.normal(where, scale=s)``, constant included.

    Arguments: ``where``, the leaf it is over or a function of params; ``strength``, positive, a number or an array
    shaped like the leaf, in one over its units squared. Errors: ``ValueError`` for one that is not positive and finite.

    >>> import jax.numpy as jnp
    >>> params = {"beta": jnp.array([0.0, 2.0])}
    >>> bool(jnp.allclose(l2("beta", 0.125)(params), normal("beta", scale=2.0)(params)))
    True

    Source: Hoerl and Kennard (1970), "Ridge regression", section 6.
    """
    strength = positive(strength, "the strength of jm.penalties.l2")
    return normal(where, scale=1.0 / jnp.sqrt(2.0 * jnp.asarray(strength)))


def l1(where: str | Callable, strength: Any) -> RoughPrior:
    r"""The lasso, L1: ``-strength * sum(|x|)``, up to the constant that makes it the Laplace prior. Exact zeros.

    ``l1(where, 1 / b)`` *is* ``jm.priors.laplace(where, scale=b)``, constant included. With a ``jm.likelihood`` of n
    rows, summed and not averaged, these are the same:

    ==================================================  ======================================================
    elsewhere                                           ``strength``
    ==================================================  ======================================================
    scikit-learn ``Lasso(alpha)``                       ``n * alpha``, with sigma held at one
    scikit-learn ``LogisticRegression(C, l1_ratio=1)``  ``1 / C``
    glum ``alpha``, ``l1_ratio=1``                      ``alpha * sum(weights)``; normal: with sigma at one
    ==================================================  ======================================================

    since scikit-learn's ``Lasso`` minimises ``||y - x b||^2 / (2 n) + alpha |b|``, its ``LogisticRegression``
    ``C * sum(losses) + |b|``, and glum a weighted *mean* of half deviances plus ``alpha |b|``. None of them penalises
    the intercept: leave it out of ``where`` (but liblinear does penalise it).

    Arguments: ``where``, a leaf or a function of params that selects some as they are (``lambda p: p["beta"][1:]``),
    free and unconstrained; ``strength``, positive, a number or an array shaped like the leaf, in one over its units.
    Errors: ``ValueError`` for a strength that is not positive and finite; from ``jm.fit`` those of
    ``jm.priors.laplace``.

    >>> import jax.numpy as jnp
    >>> from jaxmle.priors.laplace import laplace
    >>> params = {"beta": jnp.array([0.0, 2.0])}
    >>> float(l1("beta", 0.5)(params)) == float(laplace("beta", scale=2.0)(params))
    True

    Source: Tibshirani (1996), "Regression shrinkage and selection via the lasso", equation 1.
    """
    return laplace_of_strength(where, positive(strength, "the strength of jm.penalties.l1"))


def group_lasso(where: str | Callable, strength: Any, groups: Any = None, *, by_size: bool = False) -> RoughPrior:
    r"""The group lasso: ``-sum_g strength_g ||x_g||``, up to its constant. Groups are exactly zero together.

    ``group_lasso(where, 1 / s, groups)`` *is* ``jm.priors.group_laplace(where, s, groups)``, constant included. Yuan
    and Lin weigh each group by the root of its size: ``by_size=True``. For ``||y - x b||^2 / (2 n) + alpha sum_g
    ||b_g||`` take ``strength = n * alpha`` and hold sigma at one; glum's ``P1`` has no groups, scikit-learn's
    ``MultiTaskLasso(alpha)`` has one for each row of its coefficients, likewise ``n * alpha``. Added to
    ``jm.penalties.l1`` it is the sparse group lasso.

    Arguments: ``where``, ``groups`` and ``by_size`` as for ``jm.priors.group_laplace``; ``strength``, positive, a
    number or one for each group, in one over the units of the entries. Errors: those of ``jm.priors.group_laplace``.

    >>> import jax.numpy as jnp
    >>> from jaxmle.priors.group_laplace import group_laplace
    >>> params = {"beta": jnp.array([3.0, 4.0, 1.0])}
    >>> a, b = group_lasso("beta", 0.5, [0, 0, 1]), group_laplace("beta", 2.0, [0, 0, 1])
    >>> float(a(params)) == float(b(params))
    True

    Source: Yuan and Lin (2006), "Model selection and estimation in regression with grouped variables", equation 2.1.
    """
    strength = positive(strength, "the strength of jm.penalties.group_lasso")
    return groups_of_strength(where, strength, groups, by_size)


def smoothing(where: str | Callable, strength: Any, order: int = 1) -> LogPrior:
    """A penalty on roughness: ``-strength * sum(differences ** 2)``, up to the constant of the random walk prior.

    ``smoothing(where, 1 / (2 s ** 2), order)`` *is* ``jm.priors.smoothing(where, s, order)``, constant included. For
    ``||y - f||^2 + lambda sum(differences ** 2)`` and noise of scale sigma, ``strength = lambda / (2 sigma ** 2)``.

    Arguments: ``where`` and ``order``, 1 or 2, as for ``jm.priors.smoothing``; ``strength``, positive, in one over the
    units of the vector squared. Errors: ``ValueError`` for one that is not positive and finite, or another order.

    >>> import jax.numpy as jnp
    >>> params = {"f": jnp.array([1.0, 1.0, 3.0])}
    >>> bool(jnp.allclose(smoothing("f", 0.125)(params), random_walk("f", scale=2.0)(params)))
    True

    Source: Whittaker (1923), "On a new method of graduation"; Hodrick and Prescott (1997), equation 2.
    """
    strength = positive(strength, "the strength of jm.penalties.smoothing")
    return random_walk(where, 1.0 / jnp.sqrt(2.0 * jnp.asarray(strength)), order)
