"""The result of a test of a hypothesis."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaincc
from jaxtyping import Array, Float

from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.tables import Row, Table


class Test(Printed):
    """A test of a hypothesis: its ``statistic``, degrees of freedom and ``pvalue``; ``print`` shows it.

    ``df`` are the restrictions; ``df_resid`` those of the denominator of an F statistic, None for a chi-square. NaN
    where the statistic does not exist. In a batch the statistic and the p-value have a leading axis.
    """

    statistic: Float[Array, "..."]
    pvalue: Float[Array, "..."]
    df: int = eqx.field(static=True)
    df_resid: Any = None
    name: str = eqx.field(static=True, default="Test")
    null: str = eqx.field(static=True, default="")

    @classmethod
    def chi_square(cls, statistic, df: int, name: str, null: str) -> "Test":
        """The test whose ``statistic`` is chi-square with ``df`` degrees of freedom under the null hypothesis."""
        return cls(statistic, chi_square_sf(statistic, df), df, None, name, null)

    @classmethod
    def f(cls, statistic, df: int, df_resid, name: str, null: str) -> "Test":
        """The test whose ``statistic`` is F with ``df`` and ``df_resid`` degrees of freedom under the null."""
        return cls(statistic, f_sf(statistic, df, df_resid), df, df_resid, name, null)

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch: take a lane first."""
        refuse_batch(self.statistic, 0, "tests")
        kind = "chi2" if self.df_resid is None else "F"
        numbers = [float(self.statistic), float(self.df), float(self.pvalue)]
        columns, formats = [kind, "df", f"P>{kind}"], ["statistic", "count", "pvalue"]
        if self.df_resid is not None:
            numbers.insert(2, float(self.df_resid))
            columns.insert(2, "df resid")
            formats.insert(2, "count")
        none = (
            "The statistic does not exist: what is tested has no covariance (print(jm.infer(...)) says why), the "
            "restrictions are not independent at the estimate, or a fit failed."
        )
        return Table(
            title=self.name,
            header=(),
            columns=tuple(columns),
            formats=tuple(formats),
            rows=(Row(self.null, tuple(numbers)),),
            notes=() if np.isfinite(numbers[0]) else (none,),
        )


def chi_square_sf(x, df: int):
    """P(X > x) of the chi-square distribution with ``df`` degrees of freedom.

    >>> round(float(chi_square_sf(jnp.asarray(3.841458820694124), 1)), 6)
    0.05

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 18.3.
    """
    return gammaincc(jnp.asarray(0.5 * df, x.dtype), 0.5 * x)


def f_sf(x, df: int, df_resid):
    """P(X > x) of the F distribution, by the incomplete beta function.

    >>> round(float(f_sf(jnp.asarray(4.964602743730711), 1, jnp.asarray(10.0))), 6)
    0.05

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 27.5.
    """
    df_resid = jnp.asarray(df_resid, x.dtype)
    return betainc(0.5 * df_resid, jnp.asarray(0.5 * df, x.dtype), df_resid / (df_resid + df * x))
