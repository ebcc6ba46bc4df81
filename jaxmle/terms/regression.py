r"""A noise model around a prediction: row i has parameters eta_i = predictor(params, x_i) and log-density
logpdf(y_i, *eta_i).

With J_i the derivative of eta_i, g_i and -W_i the first and second derivatives of the log-density in eta, the
curvature is the sum of J_i' W_i J_i less the sum of g_ik times the second derivative of eta_ik. The first sum is the
Gauss-Newton curvature; for a linear predictor it is all there is (McCullagh and Nelder 1989, section 2.5; Nocedal
and Wright 2006, section 10.2).
"""

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.dependence import goes_forward
from jaxmle.core.evaluation import OBSERVED, OPG, Evaluation
from jaxmle.core.signature import check_takes
from jaxmle.core.tree import as_array, as_leaf, is_traced
from jaxmle.densities._derived import Derived
from jaxmle.terms import rows as row_tools
from jaxmle.terms.idle import not_finite
from jaxmle.terms.likelihood import bad_rows
from jaxmle.terms.objective import Term
from jaxmle.terms.predictor import Predictor, moving_numbers, noise_derivatives, over_rows, rounding_of


class Regression(Term):
    """The log-likelihood of a noise model around a prediction. Made by :func:`regression`."""

    density: Any = eqx.field(static=True)
    predictor: Callable
    x: Any
    y: Any
    weights: Any = None
    block: int | None = eqx.field(static=True, default=None)
    is_filled: bool = eqx.field(static=True, default=False)
    is_likelihood: ClassVar[bool] = True

    @property
    def log_density(self) -> Callable:
        """The log-density of one response given its parameters."""
        return log_density(self.density)

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        predictor = self.predictor_at(lift, point)

        def evaluate_block(block, weights):
            eta = predictor(block["x"])
            moving = predictor.moving
            asked = order if curvature == OBSERVED else min(order, 1)
            values, slopes, bends = noise_derivatives(
                self.log_density, eta, moving, block["y"], asked, predictor.constant
            )
            if asked < order:
                bends = -slopes[:, :, None] * slopes[:, None, :] if curvature == OPG else -self.information(eta, moving)
            kept = row_tools.weighted(values, weights)
            value, magnitude = jnp.sum(kept), jnp.sum(jnp.abs(kept)) + rounding_of(eta, moving, slopes, weights)
            gradient, gauss_newton, curved = predictor.pull_back(
                block["x"],
                row_tools.weighted(slopes, weights),
                row_tools.weighted(bends, weights),
                curvature == OBSERVED,
            )
            exact = gauss_newton if curved is None else gauss_newton - curved
            approximate = None if curved is None else gauss_newton
            stand_in = None
            if order == 2 and curvature == OBSERVED:
                stand_in = self._stand_in(eta, moving, block["y"], predictor.bent)
            if stand_in is not None:
                kept = row_tools.weighted(stand_in, weights)
                approximate = predictor.pull_back(block["x"], row_tools.weighted(slopes, weights), kept, False)[1]
            return Evaluation(value, jnp.zeros_like(value), magnitude, gradient, exact, approximate)

        rows = {"x": self.x, "y": self.y}
        return row_tools.sum_over_blocks(
            evaluate_block, rows, self.weights, self.block, lambda block: predictor.unsound(block["x"]), self.is_filled
        )

    def scores(self, lift, point):
        predictor = self.predictor_at(lift, point)

        def scores(rows):
            _, slopes, _ = noise_derivatives(self.log_density, predictor(rows["x"]), predictor.moving, rows["y"], 1)
            return predictor.row_gradients(rows["x"], slopes)

        data = {"x": self.x, "y": self.y}
        rows, bad = row_tools.open_sound(data, self.weights, lambda rows: not_finite(scores(rows)))
        return jnp.where(bad[:, None], jnp.nan, scores(rows))

    def is_bent(self, lift, point):
        return hasattr(self.density, "best_scale") and self.predictor_at(lift, point).bent

    def bend(self, lift, point, along):
        if not self.is_bent(lift, point):
            return super().bend(lift, point, along)
        predictor = self.predictor_at(lift, point)

        def bend_block(block, weights):
            information = self.information(predictor(block["x"]), predictor.moving)
            return predictor.bend(block["x"], row_tools.weighted(information, weights), along)

        rows = {"x": self.x, "y": self.y}
        return row_tools.sum_over_blocks(bend_block, rows, self.weights, self.block, None, self.is_filled)

    def noise_scale(self, lift, point):
        best = getattr(self.density, "best_scale", None)
        if best is None:
            return None
        predictor = self.predictor_at(lift, point)
        loc, scale = predictor.parts
        if not scale.constant or scale.coordinates.size != 1 or set(scale.leaves) & set(loc.leaves):
            return None
        rows = row_tools.open_counted({"x": self.x, "y": self.y}, self.weights)
        (place,) = scale.leaves

        def scale_of(leaf):
            moved = lift((*point[:place], leaf, *point[place + 1 :]))
            return over_rows(lambda row: self.predict(moved, row)[1], self.x)(rows["x"])[0]

        if not goes_forward(scale_of, point[place]):
            return None
        return place, scale_of, best(rows["y"], predictor(rows["x"])[0], 1.0 if self.weights is None else self.weights)

    def predictor_at(self, lift, point) -> Predictor:
        """The predictor seen from the ``point``."""
        return Predictor.of(lambda point, row: self.predict(lift(point), row), point, self.x)

    def _stand_in(self, eta, moving, y, bent: bool):
        """Second derivatives in eta, row by row, that are simpler than those of the log-density, and nowhere those of a
        minimum, (n, k, k): of something below it that touches it, or of normal noise around a ``bent`` predictor minus
        the expected information. None for other densities: their own are as good, and the expected ones may be dear."""
        surrogate = getattr(self.density, "surrogate", None)
        if surrogate is not None and moving_numbers(eta, moving).tolist() == [0]:
            bends = jax.vmap(lambda y, eta: surrogate(y, *eta))(row_tools.open_shared(y), eta)
            return None if bends is None else bends[:, None, None]
        return -self.information(eta, moving) if bent and hasattr(self.density, "best_scale") else None

    def information(self, eta, moving):
        """The expected information in the moving parts of eta, row by row, (n, k, k)."""
        information = getattr(self.density, "information", None)
        if information is None:
            name = getattr(self.density, "__name__", "this density").rsplit(".", 1)[-1]
            raise TypeError(
                f"{name} has no expected information in closed form: use another solver (jm.solvers.Newton, "
                "jm.solvers.BHHH) or covariance"
            )
        wanted = moving_numbers(eta, moving)
        return jax.vmap(lambda eta: information(*eta))(eta)[:, wanted[:, None], wanted[None, :]]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return row_tools.count_rows({"x": self.x, "y": self.y})

    def is_concave(self, lift, point) -> bool:
        """Whether it is known to be log-concave in the flat ``point``: what moves is affine in it, and the density
        log-concave in that."""
        predictor = self.predictor_at(lift, point)
        return predictor.is_affine and set(predictor.moving) <= set(getattr(self.density, "CONCAVE_IN", ()))

    def takes_products(self, lift, point):
        return self.predictor_at(lift, point).is_affine

    def every(self, stride: int) -> "Regression":
        """The term with every ``stride``-th row."""
        rows = {"x": self.x, "y": self.y, "weights": self.weights}
        taken = jax.tree.map(
            lambda leaf: leaf if row_tools.is_shared(leaf) else leaf[::stride], rows, is_leaf=row_tools.is_shared
        )
        return dataclasses.replace(self, **taken)

    def predictions(self, params):
        """The parameters of the density for each row, a tuple of arrays with a leading row axis."""
        return over_rows(lambda x: self.predict(params, x), self.x)(row_tools.open_shared(self.x))

    def predict(self, params, x):
        """The parameters of the density for one row ``x``."""
        eta = self.predictor(params, x)
        if not isinstance(eta, tuple):
            raise TypeError(
                "a predictor returns a tuple of the density's parameters, one row's; it returned "
                f"{'an array of shape ' + str(eta.shape) if hasattr(eta, 'shape') else type(eta).__name__}: write "
                "(eta,) with a comma"
            )
        called = f"the density is called with the response and what the predictor returns, {len(eta)} of its parameters"
        check_takes(self.log_density, 1 + len(eta), called, "return one for each that follows the response")
        return eta

    def contributions(self, params):
        """The log-likelihood of each row, unweighted, at ``params``."""
        return jax.vmap(lambda y, eta: self.log_density(y, *eta))(
            row_tools.open_shared(self.y), self.predictions(params)
        )

    def nobs(self):
        if self.weights is None:
            return jnp.asarray(float(row_tools.count_rows({"x": self.x, "y": self.y})))
        return jnp.sum(self.weights.astype(float))

    def weights_of_rows(self):
        return self.weights

    def check_structure(self):
        n = row_tools.count_rows({"x": self.x, "y": self.y})
        row_tools.check_weights_shape(self.weights, n, "the regression")

    def check_values(self, tries):
        pass

    def explain_data(self):
        return row_tools.explain_rows(self._named(), self.weights)

    def _named(self) -> dict[str, Any]:
        """The data by the names that messages call them by."""
        return {"y": self.y} if self._has_no_x() else {"x": self.x, "y": self.y}

    def _has_no_x(self) -> bool:
        """Whether x is the response itself, which stands in for it in a model of one sample."""
        if isinstance(self.x, dict) or isinstance(self.y, dict) or is_traced((self.x, self.y)):
            return False
        leaves = [jax.tree.leaves(tree) for tree in (self.x, self.y)]
        return all(len(found) == 1 for found in leaves) and np.array_equal(leaves[0][0], leaves[1][0], equal_nan=True)

    def explain(self, params):
        if is_traced((self.x, self.y, params)):
            return []
        values = np.asarray(self.contributions(params))
        found = row_tools.explain_rows(self._named(), self.weights, ~np.isfinite(values))
        return found or self._explain_support(params) or bad_rows(values, self.weights)

    def _explain_support(self, params):
        support = getattr(self.density, "support", None)
        if support is None:
            return []
        inside = jax.vmap(lambda y, eta: support(y, *eta))(self.y, self.predictions(params))
        bad = ~np.asarray(inside).reshape(inside.shape[0], -1).all(axis=1)
        bad = np.flatnonzero(bad & row_tools.have_weight(self.weights, bad.size))
        if not bad.size:
            return []
        some = ", ".join(map(str, bad[:8])) + (", ..." if bad.size > 8 else "")
        value = np.asarray(jax.tree.leaves(self.y)[0])[bad[0]]
        name = self.density.__name__.rsplit(".", 1)[-1]
        noun = getattr(self.density, "NOUN", "density")
        cannot = "cannot produce" if noun == "density" else "does not take"
        return [
            f"y is {value} at row {bad[0]}, which {name} {cannot}: it must be {self.density.SUPPORT} "
            f"({bad.size} such row{'s' * (bad.size > 1)}, counted from zero: {some}); correct or drop these rows, or "
            f"use another {noun}"
        ]


def regression(
    density: ModuleType | Callable,
    predictor: Callable,
    x,
    y,
    weights=None,
    *,
    block: int | None = None,
) -> Term:
    """The log-likelihood of responses ``y`` under a ``density`` whose parameters ``predictor`` gives for each row.

    Arguments:
        density: a module of :mod:`jaxmle.densities` (``jm.densities.normal``), or a bare log-density ``f(y, *eta)``.
        predictor: ``predictor(params, x_i)`` takes *one* row and returns a tuple of the density's parameters.
        x: a tree of arrays with a leading row axis; what all rows share is wrapped in ``jm.shared``.
        y: the responses, an array with a leading row axis. Integers and booleans are fine.
        weights: case weights, shape ``(n,)``: weight 2 equals the row twice.
        block: how many rows are evaluated at once; by default what suits the backend.

    Returns a term with factored curvature: exact where the predictor is linear in params, and for any predictor with
    the Gauss-Newton part apart, which Levenberg-Marquardt climbs on.

    Errors: ``TypeError`` where data are not numbers or the predictor does not take params and a row; ``ValueError`` for
    pandas rows labelled differently; from ``jm.fit``: different numbers of rows, no rows, a predictor that does not
    return a tuple of the density's parameters.

    >>> import jax.numpy as jnp
    >>> from jaxmle import densities
    >>> x, y = jnp.array([[1.0, 0.0], [1.0, 1.0]]), jnp.array([0, 1])
    >>> term = regression(densities.bernoulli, lambda p, x_i: (x_i @ p["beta"],), x, y)
    >>> round(float(term({"beta": jnp.zeros(2)})), 4)
    -1.3863

    Source: McCullagh and Nelder (1989), "Generalized Linear Models", chapter 2.
    """
    row_tools.check_labels(x=x, y=y, weights=weights)
    x, y = row_tools.as_rows(x, "x"), row_tools.as_rows(y, "y")
    weights = None if weights is None else as_array(weights, "weights")
    if any(row_tools.is_shared(leaf) for leaf in jax.tree.leaves(y, is_leaf=row_tools.is_shared)):
        raise TypeError("y holds one response for each row and cannot be shared: put what rows share into x")
    check_predictor(predictor)
    if not isinstance(density, ModuleType) and not callable(density):
        raise TypeError(
            f"density must be a module such as jm.densities.normal or a log-density function, not a "
            f"{type(density).__name__}"
        )
    return Regression(density, as_leaf(predictor), x, y, weights, block)


def check_predictor(predictor) -> None:
    """Raise ``TypeError`` for what is no function of params and one row."""
    if not callable(predictor):
        raise TypeError(f"predictor must be a function of params and one row, not a {type(predictor).__name__}")
    called = "a predictor is called as predictor(params, row), with one row of x"
    check_takes(predictor, 2, called, "several columns travel as one array, tuple or dict")


def log_density(density) -> Callable:
    """The log-density function of a density module, or the function itself. A density made of densities is one, and
    equal to those made alike, as its methods are not."""
    if isinstance(density, Derived):
        return density
    for name in ("logpdf", "logpmf"):
        if hasattr(density, name):
            return getattr(density, name)
    return density
