"""Where what a constraint allows ends although the numbers behind it do not: its edges, in z, in values and in words.

A number that is constrained by itself has its limits (:meth:`Bijection.limits`). Of those that are constrained together
a probability of a simplex goes to zero, two ordered numbers meet, a matrix becomes singular.
"""

import jax.numpy as jnp
import numpy as np

from jaxmle.parameters.bijections import Bijection, Correlation, Covariance, Ordered, Simplex


def ends(bijection: Bijection, free_shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For each number of z of a leaf whether minus, and plus, infinity stands for an edge.

    >>> [end.tolist() for end in ends(Ordered(), (3,))]
    [[False, True, True], [False, False, False]]
    """
    low, high = (np.full(free_shape, end is not None) for end in bijection.limits())
    if isinstance(bijection, Simplex | Correlation):
        return ~low, ~high
    if isinstance(bijection, Ordered):
        return low | (np.arange(free_shape[-1]) > 0), high
    if isinstance(bijection, Covariance):
        return low | _on_diagonal(free_shape[-1]), high
    return low, high


def power(bijection: Bijection) -> float:
    """How many orders of magnitude what is left to an edge loses with each of z: two where z enters by its square."""
    return 2.0 if isinstance(bijection, Covariance | Correlation) else 1.0


def held(bijection: Bijection, shape: tuple[int, ...]) -> np.ndarray:
    """Which numbers of a leaf its constraint holds where they are: the diagonal of a correlation matrix."""
    if isinstance(bijection, Correlation):
        return np.broadcast_to(np.eye(shape[-1], dtype=bool), shape)
    return np.zeros(shape, bool)


def eases(bijection: Bijection) -> bool:
    """Whether numbers of a leaf at its edge leave the others their standard errors."""
    return isinstance(bijection, Simplex | Ordered)


def at_edge(bijection: Bijection, z, value):
    """Which numbers of ``value`` touch an edge, as far as the square root of the rounding error can tell."""
    small = float(jnp.finfo(value.dtype).eps) ** 0.5
    if isinstance(bijection, Simplex):
        return value <= small
    if isinstance(bijection, Ordered):
        meets = _meets(z, value, small)
        never = jnp.zeros((*value.shape[:-1], 1), bool)
        return jnp.concatenate([meets, never], axis=-1) | jnp.concatenate([never, meets], axis=-1)
    if isinstance(bijection, Covariance | Correlation):
        rows = jnp.any(_singular(bijection, z, value, small), axis=-1)
        return jnp.broadcast_to(rows[..., None, None], value.shape)
    return jnp.zeros(value.shape, bool)


def words(bijection: Bijection, name: str, labels: np.ndarray, z, value) -> list[str]:
    """What happens at the edges that a leaf touches, on the host; ``labels`` are those of its numbers."""
    small = float(np.finfo(value.dtype).eps) ** 0.5
    if isinstance(bijection, Simplex):
        return [f"{label} goes to 0" for label in labels[np.asarray(at_edge(bijection, z, value))]]
    if isinstance(bijection, Ordered):
        meets = np.asarray(_meets(z, value, small))
        return [f"{a} and {b} meet" for a, b in zip(labels[..., :-1][meets], labels[..., 1:][meets], strict=True)]
    if isinstance(bijection, Covariance | Correlation):
        found = np.argwhere(np.asarray(_singular(bijection, z, value, small)))
        return [f"{_of(name, lead)} becomes singular in row {row}" for *lead, row in found.tolist()]
    return []


def _meets(z, value, small):
    """Which neighbours meet."""
    return jnp.exp(z[..., 1:]) <= small * (1.0 + jnp.abs(value[..., 1:]))


def _singular(bijection, z, value, small):
    """For each row of a matrix whether it is a combination of those above, or zero beside the largest. A climb ends
    sooner there than elsewhere, since z enters by its square."""
    small = small**0.75
    if isinstance(bijection, Covariance):
        left = jnp.exp(2.0 * z[..., np.flatnonzero(_on_diagonal(z.shape[-1]))])
        diagonal = jnp.diagonal(value, axis1=-2, axis2=-1)
        return left <= small * jnp.minimum(diagonal, jnp.max(diagonal, axis=-1, keepdims=True))
    rows, _ = np.tril_indices(value.shape[-1], -1)
    far = 1.0 - jnp.tanh(z) ** 2 <= small
    return jnp.stack([jnp.any(far[..., rows == i], axis=-1) for i in range(value.shape[-1])], axis=-1)


def _on_diagonal(entries: int) -> np.ndarray:
    """Which entries of a lower triangle, row by row, lie on the diagonal."""
    rows, columns = np.tril_indices((int((8 * entries + 1) ** 0.5) - 1) // 2)
    return rows == columns


def _of(name: str, lead) -> str:
    return f"{name}[{','.join(map(str, lead))}]" if lead else name
