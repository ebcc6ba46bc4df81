"""A table as a pandas data frame, with every digit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


def to_frame(table) -> pandas.DataFrame:
    """The rows as a data frame of floats, indexed by label; a text or a blank becomes NaN.

    Args:
        table: the table.

    Returns:
        One row per label, one column of dtype float per column of the table.

    Raises:
        ImportError: pandas is not installed.

    >>> from jaxmle.tables import Row, Table
    >>> rows = (Row("p", (0.25, 0.125)), Row("q", (1.0, "fixed")))
    >>> to_frame(Table("Coin", (), ("coef", "std err"), rows, formats=("coefficient", "statistic")))
       coef  std err
    p  0.25    0.125
    q  1.00      NaN
    """
    pandas = _pandas()
    values = [[value if isinstance(value, float) else math.nan for value in row.values] for row in table.rows]
    labels = [row.label for row in table.rows]
    return pandas.DataFrame(values, index=pandas.Index(labels, dtype=object), columns=list(table.columns), dtype=float)


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "A table was asked for as a data frame, but pandas could not be imported, most likely because it "
            "is not installed: it is optional. Try `pip install jaxmle[formula]`, or use `to_dict()`, which "
            "gives the same numbers without pandas."
        ) from error
    return pandas
