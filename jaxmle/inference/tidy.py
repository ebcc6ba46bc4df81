"""An inference as data frames, with the column names of R's broom."""

from jaxmle.core import status as codes
from jaxmle.inference.covariances.facts import describe_covariance
from jaxmle.inference.printed import refuse_batch
from jaxmle.inference.report import scalar_columns
from jaxmle.tables import Row, Table

TIDY = ("estimate", "std.error", "statistic", "p.value", "conf.low", "conf.high")
GLANCE = ("logLik", "AIC", "BIC", "nobs", "df")


def tidy(inference, alpha: float):
    """One row for each unfixed number. See :meth:`jaxmle.Inference.tidy`."""
    refuse_batch(inference.status, 0, "inferences")
    numbers = zip(*scalar_columns(inference, alpha), strict=True)
    rows = [Row(label, values) for label, values in zip(inference.space.scalar_labels(), numbers, strict=True)]
    return _frame(TIDY, rows).rename_axis("term").reset_index()


def glance(inference):
    """One row for the whole. See :meth:`jaxmle.Inference.glance`."""
    refuse_batch(inference.status, 0, "inferences")
    values = (inference.llf, inference.aic, inference.bic, inference.nobs, inference.z.size)
    frame = _frame(GLANCE, [Row(inference.name, values)]).reset_index(drop=True)
    frame["converged"] = bool(codes.is_maximum(inference.status))
    frame["covariance"] = describe_covariance(inference)
    return frame


def _frame(columns, rows):
    formats = ("statistic",) * len(columns)
    return Table("", (), columns, tuple(rows), formats=formats).to_frame()
