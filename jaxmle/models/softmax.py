"""Softmax (multinomial logistic) regression."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.densities import categorical
from jaxmle.models.classes import NamedClasses, read_classes
from jaxmle.models.design import as_design
from jaxmle.models.model import Model
from jaxmle.parameters import free
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression
from jaxmle.terms.rows import check_labels


def _predict(params, x):
    logits = x @ params["beta"]
    return (jnp.concatenate([jnp.zeros(1, logits.dtype), logits]),)


@Model
def softmax(x, y, weights=None, *, n_classes: int | None = None, labels: Sequence[str] | None = None) -> Problem:
    r"""Softmax regression: ``y_i ~ Categorical(logits = (0, x_i . beta))``. Class 0 is the baseline.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), labels 0, 1, ..., K - 1, or texts or
    pandas categories, numbered in their order (texts in that of the alphabet) and named in the table; ``n_classes``, K,
    by default one more than the largest label of a row that has weight; ``weights``, case weights (n,); ``labels``,
    names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p, K - 1)}``: column k - 1 are the log odds of class k against class 0.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, a missing class, or no
    ``n_classes`` inside a trace; ``TypeError`` for columns that are not numbers; from ``jm.fit`` ``ValueError`` for
    labels out of range.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = softmax(jnp.ones((4, 1)), jnp.array([0, 1, 1, 2]))
    >>> [round(float(b), 4) + 0.0 for b in jm.fit(problem).params["beta"][0]]
    [0.6931, 0.0]
    >>> jm.fit(softmax(jnp.ones((4, 1)), ["tea", "milk", "milk", "coffee"], labels=["const"])).space.scalar_labels()
    ['milk:const', 'tea:const']

    Source: McFadden (1974), "Conditional logit analysis of qualitative choice behavior"; McCullagh and Nelder (1989),
    section 5.2.
    """
    check_labels(x=x, y=y, weights=weights)
    y, n_classes, classes = read_classes(y, weights, n_classes, "softmax regression")
    x, y, labels = as_design(x, y, labels)
    names = None
    if labels is not None or classes is not None:
        columns = [f"x[{j}]" for j in range(x.shape[1])] if labels is None else labels
        names = [f"{name}:{column}" for column in columns for name in (classes or range(n_classes))[1:]]
    start = {"beta": free(jnp.zeros((x.shape[1], n_classes - 1), x.dtype), names)}
    remarks = None if classes is None else NamedClasses(classes)
    objective = as_objective(regression(categorical, _predict, x, y, weights))
    return Problem(objective, start, "Softmax regression", remarks=remarks)
