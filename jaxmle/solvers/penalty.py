"""A penalty with kinks: weighted absolute values, and Euclidean lengths of groups of numbers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxmle.core.tree import is_traced


class Penalty(eqx.Module):
    r"""``sum_j l1[j] |z[j] - centre[j]| + sum_g strength[g] ||z[group g] - centre[group g]||``, over a flat z.

    With m the length of z, ``l1`` and ``centre`` are (m,), ``strength`` is one number for each group, all zero or
    more; ``groups`` (m,) says which group a number is in, -1 for none. ``centre`` may be None (zero), ``strength`` and
    ``groups`` too (no groups). ``touched`` and ``shifted`` (m,) say which numbers are penalised at all, and which may
    have a centre other than zero, where that is known without looking at the values; None is all of them. Strengths
    are leaves: a new one compiles nothing.

    It is convex, and smooth away from its kinks: at a kink a number equals its centre, or a group all of its centres.
    The *face* of a point is what moves without leaving a kink.
    """

    l1: Float[Array, " m"]
    centre: Any = None  # Float[Array, " m"]
    strength: Any = None  # Float[Array, " g"]
    groups: Any = None  # Int[Array, " m"]
    touched: Any = None  # Bool[Array, " m"]
    shifted: Any = None  # Bool[Array, " m"]

    @classmethod
    def nothing(cls, size: int, dtype) -> "Penalty":
        """The penalty that is zero everywhere: the identity of ``+``.

        >>> float(Penalty.nothing(3, float).value(jnp.ones(3)))
        0.0
        """
        return cls(jnp.zeros(size, dtype), touched=np.zeros(size, bool))

    def value(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        """The penalty at ``z``.

        >>> float(Penalty(jnp.array([1.0, 2.0])).value(jnp.array([3.0, -4.0])))
        11.0
        """
        x = self._from_centre(z)
        total = jnp.sum(self.l1 * jnp.abs(x))
        if self.groups is None:
            return total
        return total + jnp.sum(self.strength * jnp.sqrt(self._sums(x**2)))

    def difference(self, new: Float[Array, " m"], old: Float[Array, " m"]) -> Float[Array, ""]:
        """``value(new) - value(old)``, without rounding either: for points close by."""
        a, b = self._from_centre(new), self._from_centre(old)
        total = jnp.sum(self.l1 * (jnp.abs(a) - jnp.abs(b)))
        if self.groups is None:
            return total
        lengths = jnp.sqrt(self._sums(a**2)) + jnp.sqrt(self._sums(b**2))
        grown = self._sums((a - b) * (a + b)) / jnp.where(lengths > 0, lengths, 1.0)
        return total + jnp.sum(self.strength * grown)

    def prox(self, z: Float[Array, " m"], step) -> Float[Array, " m"]:
        r"""The x that minimises ``sum (x - z)^2 / (2 step) + value(x)``, exactly: zeros are zeros.

        A soft threshold, then one of the length of each group. ``step`` is a number, or (m,) and the same within a
        group.

        >>> Penalty(jnp.array([1.0, 1.0])).prox(jnp.array([3.0, -0.5]), 1.0).tolist()
        [2.0, 0.0]

        Source: Simon, Friedman, Hastie and Tibshirani (2013), "A sparse-group lasso", equation 12.
        """
        x = self._shrunk(_soft(self._from_centre(z), step * self.l1), step)
        return x if self.centre is None else self.centre + x

    def smallest_subgradient(self, z: Float[Array, " m"], gradient: Float[Array, " m"]) -> Float[Array, " m"]:
        """The shortest element of ``gradient`` less the subdifferential at ``z``.

        With the gradient of a smooth log-density it is zero just where the two together are stationary: its length
        is the residual of the Karush-Kuhn-Tucker conditions.

        >>> Penalty(jnp.ones(3)).smallest_subgradient(jnp.array([0.0, 0.0, 2.0]), jnp.array([0.5, 3.0, 1.0])).tolist()
        [0.0, 2.0, 0.0]
        """
        x = self._from_centre(z)
        left = gradient - self.slope(z)
        left = jnp.where(x == 0, _soft(left, self.l1), left)
        if self.groups is None:
            return left
        return jnp.where(self._at_kink(x), self._shrunk(left, 1.0), left)

    def face(self, z: Float[Array, " m"]) -> Bool[Array, " m"]:
        """Which numbers can move without leaving a kink of the penalty."""
        x = self._from_centre(z)
        free = (x != 0) | (self.l1 == 0)
        return free if self.groups is None else free & ~self._at_kink(x)

    def slope(self, z: Float[Array, " m"]) -> Float[Array, " m"]:
        """The derivative of the penalty along its face; zero where a kink holds a number."""
        x = self._from_centre(z)
        slope = self.l1 * jnp.sign(x)
        return slope if self.groups is None else slope + self._spread(self.strength) * self._unit(x)

    def bend(self, z: Float[Array, " m"]):
        """The second derivatives (m, m) of the penalty along its face; None where it has none: no groups."""
        if self.groups is None:
            return None
        x = self._from_centre(z)
        length = self._spread(jnp.sqrt(self._sums(x**2)))
        rate = jnp.where(length > 0, self._spread(self.strength) / jnp.where(length > 0, length, 1.0), 0.0)
        unit = self._unit(x)
        together = (self.groups[:, None] == self.groups[None, :]) & (self.groups >= 0)[:, None]
        return jnp.diag(rate) - jnp.where(together, rate[:, None] * unit[:, None] * unit[None, :], 0.0)

    def largest_in_group(self, x: Float[Array, " m"]) -> Float[Array, " m"]:
        """``x`` with every number of a group as large as the largest of it: a scale that :meth:`prox` can take."""
        if self.groups is None:
            return x
        return jnp.where(self.groups < 0, x, self._spread(jax.ops.segment_max(x, self._ids(), self._count())[:-1]))

    def placed(self, places: np.ndarray, size: int) -> "Penalty":
        """The same penalty over a longer z, or another order: number j goes to ``places[j]``, and nowhere if that is
        negative."""
        kept = np.flatnonzero(np.asarray(places) >= 0)
        places = np.asarray(places)[kept]

        def spread(numbers, fill, dtype):
            if numbers is None or isinstance(numbers, np.ndarray):
                whole = np.full(size, fill, dtype)
                whole[places] = True if numbers is None else numbers[kept]
                return whole
            return jnp.full(size, fill, dtype).at[places].set(numbers[kept])

        return Penalty(
            jnp.zeros(size, self.l1.dtype).at[places].set(self.l1[kept]),
            None if self.centre is None else jnp.zeros(size, self.centre.dtype).at[places].set(self.centre[kept]),
            self.strength,
            None if self.groups is None else spread(self.groups, -1, int),
            spread(self.touched, False, bool),
            spread(self._shifts(), False, bool),
        )

    def __add__(self, other: "Penalty") -> "Penalty":
        """The two together. ``ValueError`` where both penalise a number around different centres, or in groups."""
        both = self._touches() & other._touches() & (self._shifts() | other._shifts())
        return Penalty(
            self.l1 + other.l1,
            self._common_centre(other, both),
            _join(self.strength, other.strength),
            self._common_groups(other),
            self._touches() | other._touches(),
            self._shifts() | other._shifts(),
        )

    def __rmul__(self, factor) -> "Penalty":
        strength = None if self.strength is None else factor * self.strength
        return Penalty(factor * self.l1, self.centre, strength, self.groups, self.touched, self.shifted)

    def _touches(self):
        return np.ones(self.l1.shape, bool) if self.touched is None else self.touched

    def _shifts(self):
        if self.centre is None:
            return np.zeros(self.l1.shape, bool)
        return self._touches() if self.shifted is None else self.shifted

    def _common_centre(self, other, both):
        if self.centre is None and other.centre is None:
            return None
        mine, theirs = (jnp.zeros_like(p.l1) if p.centre is None else p.centre for p in (self, other))
        if is_traced(both) or (np.any(both) and is_traced((mine, theirs))):
            raise ValueError(
                "two non-smooth priors over the same parameters have centres that cannot be compared while they are "
                "compiled; give them over different parameters, or leave loc at 0"
            )
        both = np.asarray(both)
        if np.any(both) and not np.array_equal(np.asarray(mine)[both], np.asarray(theirs)[both]):
            raise ValueError(
                "two non-smooth priors over the same parameter have different centres; give both the same loc, or "
                "give them over different parameters"
            )
        return jnp.where(self._touches(), mine, theirs)

    def _common_groups(self, other):
        if self.groups is None or other.groups is None:
            return self.groups if other.groups is None else other.groups
        if is_traced((self.groups, other.groups)) or np.any((self.groups >= 0) & (other.groups >= 0)):
            raise ValueError(
                "two group penalties share a parameter; overlapping groups have no closed prox: give each parameter "
                "one group, in one prior (an l1 penalty may be added to it: the sparse group lasso)"
            )
        return np.where(other.groups >= 0, other.groups + self.strength.shape[0], self.groups)

    def _from_centre(self, z):
        return z if self.centre is None else z - self.centre

    def _count(self):
        return self.strength.shape[0] + 1

    def _ids(self):
        """The group of each number; those in none are in one group more, the last."""
        return jnp.where(self.groups < 0, self._count() - 1, self.groups)

    def _sums(self, x):
        """The sum of ``x`` over each group."""
        return jax.ops.segment_sum(x, self._ids(), self._count())[:-1]

    def _spread(self, per_group):
        """A number for each group as one for each number of z; zero for those in none."""
        return jnp.concatenate([per_group, jnp.zeros(1, per_group.dtype)])[self._ids()]

    def _unit(self, x):
        """``x`` over the length of its group, zero where that is zero."""
        length = self._spread(jnp.sqrt(self._sums(x**2)))
        return jnp.where(length > 0, x / jnp.where(length > 0, length, 1.0), 0.0)

    def _at_kink(self, x):
        """Whether a number is in a penalised group that is zero."""
        kink = (self._sums(x**2) == 0) & (self.strength > 0)
        return self._spread(kink.astype(x.dtype)) > 0

    def _shrunk(self, x, step):
        """``x`` with the length of each group less ``step * strength``, or zero."""
        if self.groups is None:
            return x
        length = self._spread(jnp.sqrt(self._sums(x**2)))
        kept = 1.0 - step * self._spread(self.strength) / jnp.where(length > 0, length, 1.0)
        return jnp.where((kept > 0) | (length == 0), x * jnp.where(length > 0, kept, 1.0), 0.0)


def _soft(x, threshold):
    """``x`` moved towards zero by ``threshold``, and no further than zero."""
    return jnp.where(jnp.abs(x) <= threshold, 0.0, x - jnp.sign(x) * threshold)


def _join(a, b):
    return a if b is None else b if a is None else jnp.concatenate([a, b])
