"""A whole fit: how fast is Newton from zero to the estimate, beside NumPy and statsmodels?"""

import jax
import numpy as np
import statsmodels.api as sm

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.measure import Row, against, time_of, worst

SIZES = ((1_000, 5), (100_000, 20))


def rows() -> list[Row]:
    """Rows for each size: NumPy's Newton, statsmodels, jaxmle without and with standard errors."""
    table = []
    for n, p in SIZES:
        x, y = problems.logistic(n, p)
        truth = numpy_reference.newton(lambda b, x=x, y=y: numpy_reference.bernoulli(b, x, y), np.zeros(p), 1e-20)
        question = f"logistic fit, {n:,} x {p}"
        problem = jm.models.logistic(x, y)

        def by_numpy(x=x, y=y, p=p):
            return numpy_reference.newton(lambda b: numpy_reference.bernoulli(b, x, y), np.zeros(p)).estimate

        def by_statsmodels(x=x, y=y):
            return sm.Logit(y, x).fit(disp=0, tol=1e-10).params

        def by_fit(problem=problem):
            return jm.fit(problem).params["beta"]

        def by_infer(problem=problem):
            fit = jm.fit(problem)
            return fit.params["beta"], jm.infer(problem, fit).bse["beta"]

        def measured(who, function, estimate, question=question, truth=truth):
            first, warm = time_of(function)
            error = worst(estimate(function()), truth.estimate)
            return Row(question, who, first, warm, error, "of the largest coefficient", "float64")

        jax.clear_caches()
        table += against(
            measured("NumPy Newton with errors", by_numpy, lambda e: e),
            measured("statsmodels Logit", by_statsmodels, lambda e: e),
            measured("jaxmle fit", by_fit, lambda e: e),
            measured("jaxmle fit and infer", by_infer, lambda e: e[0]),
        )
    return table
