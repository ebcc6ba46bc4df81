"""The information in z: observed, expected, or the outer product of the gradient."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core.evaluation import EXPECTED, OBSERVED, Evaluation
from jaxmle.fitting.chunks import vmapped_in_chunks
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.asked import Asked
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Term, nothing
from jaxmle.terms.predictor import noise_derivatives
from jaxmle.terms.regression import Regression

DRAWS = 200


def information(asked: Asked, kind: str) -> Evaluation:
    """The evaluation in z whose curvature is the information of ``kind``, that of the priors always observed.

    Where the mode is that of z (``jacobian``), the priors are curved by the constraints too; elsewhere this bend
    cancels with that of the likelihood, whose gradient is opposite.
    """
    if kind == OBSERVED:
        return _observed(asked)
    point, likelihoods = asked.space.point(asked.z), asked.likelihoods()
    total = nothing(point, 2)
    for i, (term, factor) in enumerate(zip(likelihoods.terms, likelihoods.factors, strict=True)):
        if kind == EXPECTED and is_simulated(term):
            piece = _simulated(term, asked.space.lift, point, jax.random.fold_in(asked.key, i))
        else:
            piece = term.evaluate(asked.space.lift, point, 2, kind)
        total = total + (piece if factor is None else jnp.asarray(factor, piece.value.dtype) * piece)
    priors = evaluate_in_z(
        asked.priors(), asked.space, asked.z, 2, asked.jacobian, OBSERVED if asked.jacobian else kind
    )
    return asked.space.pull_back(total, asked.z, False) + priors


def _takes_products(asked: Asked) -> bool:
    return asked.objective.takes_products(asked.space.lift, asked.space.point(asked.z))


@functools.partial(vmapped_in_chunks, takes_products=_takes_products)
def _observed(asked: Asked) -> Evaluation:
    return evaluate_in_z(asked.objective, asked.space, asked.z, 2, asked.jacobian)


def is_simulated(term: Term) -> bool:
    """Whether the expected information of ``term`` has no closed form, so that it is the mean over draws."""
    return isinstance(term, Regression) and not hasattr(term.density, "information")


def check_can_be_simulated(asked: Asked) -> None:
    """Raise unless every density without expected information can be drawn from, and there is a key to do it."""
    for term in asked.likelihoods().terms:
        if not is_simulated(term):
            continue
        density: Any = term
        density = density.density
        name = getattr(density, "__name__", "this density").rsplit(".", 1)[-1]
        if not hasattr(density, "sample"):
            raise TypeError(
                f"{name} has neither an expected information in closed form nor a sample function to take the mean "
                'over: use covariance="observed", or give jm.regression a module of jm.densities'
            )
        if asked.key is None:
            raise ValueError(
                f"{name} has no expected information in closed form, so it is the mean over {DRAWS} draws a row, and "
                "these need key=, such as key=jax.random.key(0)"
            )


def _simulated(term: Any, lift, point, key) -> Evaluation:
    """An evaluation with the mean over ``DRAWS`` simulated responses of the curvature of each row in eta."""
    predictor = term.predictor_at(lift, point)
    rows = row_tools.open_counted(term.x, term.weights)
    eta, moving = predictor(rows), predictor.moving

    def add(total, key):
        y = term.density.sample(key, *eta)
        return total + noise_derivatives(term.log_density, eta, moving, y, 2)[2] / DRAWS, None

    keys = jax.random.split(key, DRAWS)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(add, 0.0, keys[0])[0])
    bends = jax.lax.scan(add, zeros, keys)[0]
    slopes = jnp.zeros(bends.shape[:2], bends.dtype)
    curvature = predictor.pull_back(rows, slopes, row_tools.weighted(bends, term.weights), False)[1]
    return dataclasses.replace(term.evaluate(lift, point, 1), curvature=curvature)
