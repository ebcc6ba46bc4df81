"""What prints itself as a table."""

import abc

import equinox as eqx
import numpy as np

from jaxmle.tables import Table


class Printed(eqx.Module):
    """A result that has a table: ``print`` shows it, a notebook its HTML."""

    @abc.abstractmethod
    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch."""

    def __str__(self) -> str:
        return str(self.table())

    def to_frame(self):
        """The table as a pandas data frame."""
        return self.table().to_frame()

    def to_latex(self) -> str:
        """The table in LaTeX."""
        return self.table().to_latex()

    def to_html(self) -> str:
        """The table in HTML."""
        return self.table().to_html()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def refuse_batch(value, rank: int, what: str) -> None:
    """Raise ``ValueError`` where ``value`` has more axes than the ``rank`` that one result has."""
    if np.ndim(value) > rank:
        raise ValueError(f"a batch of {what} has no single table; take a lane: jax.tree.map(lambda x: x[0], result)")


def ends_of(alpha: float) -> tuple[str, str]:
    """The heads of the columns of an interval at confidence ``1 - alpha``.

    >>> ends_of(0.05)
    ('[0.025', '0.975]')
    """
    return f"[{alpha / 2:.4g}", f"{1 - alpha / 2:.4g}]"
