"""Losses: plain functions of a prediction and a target, and the noise models they are.

>>> import jaxmle.losses as losses
>>> float(losses.squared_error(1.0, 3.0))
4.0

Every loss is elementwise, nothing is summed: `huber(prediction, target, delta=1.0)`. To minimise the sum of a loss is
to maximise a likelihood, where the loss *is* a noise model: `-log density = scale * loss + constant`. Each docstring
names the density, what is held fixed, and the constant; `print(jm.losses.table())` lists all. Some are no model's
log-likelihood, and say so.

**In a fit** a loss is a term by :func:`jaxmle.risk`, an M-estimate with sandwich errors. A loss that is the whole of
a noise model (a cross-entropy) is better said as that model, `jm.regression(jm.densities.bernoulli, ...)`, which has
AIC and its own standard errors as well.

**Predictions** come first and are those that any real number can be: logits, the *log* of a mean. scikit-learn's
metrics take the target first, and probabilities and means.

**Shapes and dtypes** are those of the densities: arrays of one shape, or scalars; `softmax_cross_entropy` and `nll`
have a last axis, the classes. All is computed in the floating dtype of the prediction.

**Targets** that a loss is not made for (a label of 2 among two classes, a negative count, a margin loss given 0 and
1) are infinitely lost, never a wrong finite number; a missing one is NaN.

**A new loss** is one file, one row in `catalogue.py`, and one in `tests/contracts/loss_table.py`.
"""

from jaxmle.losses.absolute import absolute_error
from jaxmle.losses.catalogue import table
from jaxmle.losses.cross_entropy import binary_cross_entropy, nll, softmax_cross_entropy
from jaxmle.losses.deviance import gamma_deviance, poisson_deviance
from jaxmle.losses.focal import focal
from jaxmle.losses.huber import huber
from jaxmle.losses.log_cosh import log_cosh
from jaxmle.losses.margin import exponential, hinge, zero_one
from jaxmle.losses.quantile import quantile
from jaxmle.losses.squared import squared_error, squared_error_profiled

__all__ = [
    "absolute_error",
    "binary_cross_entropy",
    "exponential",
    "focal",
    "gamma_deviance",
    "hinge",
    "huber",
    "log_cosh",
    "nll",
    "poisson_deviance",
    "quantile",
    "softmax_cross_entropy",
    "squared_error",
    "squared_error_profiled",
    "table",
    "zero_one",
]
