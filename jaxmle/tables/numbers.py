"""How one number is printed: in decimals while they show its digits, in significant digits where not."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

# From a million on, the decimals of a fixed format say nothing and only widen the column.
LARGE = 1e6


def coefficient(x: float) -> str:
    """Four decimals, or four significant digits where four decimals would lose them.

    Args:
        x: any float.

    Returns:
        The printed number.

    >>> [coefficient(x) for x in (0.0952, 2.826113, 1.234e8, 1.2e-9, 0.0, float("nan"))]
    ['0.0952', '2.8261', '1.234e+08', '1.2e-09', '0.0000', 'nan']
    """
    return _decimals(x, 4)


def statistic(x: float) -> str:
    """Three decimals, or three significant digits where three decimals would lose them.

    Args:
        x: any float.

    Returns:
        The printed number.

    >>> [statistic(x) for x in (1.262941, -22.686565, 0.0004213, 3.1e-9, float("-inf"))]
    ['1.263', '-22.687', '0.000421', '3.1e-09', '-inf']
    """
    return _decimals(x, 3)


def pvalue(x: float) -> str:
    """Three decimals, and "<0.001" below that: a p-value is never printed as zero.

    Args:
        x: a probability, or NaN.

    Returns:
        The printed probability.

    >>> [pvalue(x) for x in (0.025239, 0.001, 0.00099, 0.0, float("nan"))]
    ['0.025', '0.001', '<0.001', '<0.001', 'nan']
    """
    return "<0.001" if x < 0.001 else f"{x:.3f}"


def count(x: float) -> str:
    """A whole number without decimals; four significant digits, or more, where it is none.

    Args:
        x: degrees of freedom, or a number of things.

    Returns:
        The printed number.

    >>> [count(x) for x in (3.0, 28.4, 123456.0, float("nan"))]
    ['3', '28.4', '123456', 'nan']
    """
    return f"{x:.0f}" if math.isfinite(x) and x == round(x) else f"{x:.4g}"


FORMATS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {"coefficient": coefficient, "statistic": statistic, "pvalue": pvalue, "count": count}
)


def cell(value: float | str | None, format: str) -> str:
    """What a table shows for one value.

    Args:
        value: a number, a text shown as it is, or None for a blank.
        format: a key of `FORMATS`; used for numbers only.

    Returns:
        The text of the cell.

    >>> cell(2.826113, "coefficient"), cell("fixed", "statistic"), cell(None, "pvalue")
    ('2.8261', 'fixed', '')
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else FORMATS[format](value)


def finite_or_none(value: float | str | None) -> float | str | None:
    """The value as JSON can hold it: NaN and the infinities, which it cannot, become None.

    Args:
        value: a number, a text, or None.

    Returns:
        The value itself, or None.

    >>> finite_or_none(0.5), finite_or_none("fixed"), finite_or_none(float("nan"))
    (0.5, 'fixed', None)
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _decimals(x: float, places: int) -> str:
    """Fixed decimals while they show at least two significant digits, else `places` significant digits."""
    if x == 0 or not math.isfinite(x):
        return f"{abs(x) if x == 0 else x:.{places}f}"
    fixed = 10.0 ** (1 - places) <= abs(x) < LARGE
    return f"{x:.{places}f}" if fixed else f"{x:.{places}g}"
