"""Where what a constraint allows ends although the numbers behind it do not: its edges, in z, in values and in words.

A number that is constrained by itself has its limits (:meth:`Bijection.limits`). Of those that are constrained together
a probability of a simplex goes to zero, two ordered numbers meet, a matrix becomes singular.
"""

import jax.numpy as jnp
import numpy as np

from jaxmle.parameters.bijections import Bijection, Correlation, Covariance, Ordered, Simplex

_FALLS = 0.1  # of the logarithm of what is left to an edge: 1 / k where the density flattens out with its k-th power
_NEARER = 0.01  # of a probability: more than rounding can have taken it from its top


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


def follows(bijection: Bijection, z, step):
    """Which numbers of ``z`` shrink along ``step`` beside one that goes to an edge: covariances with a variance that
    vanishes."""
    if not isinstance(bijection, Covariance):
        return jnp.zeros(z.shape, bool)
    on_diagonal = _on_diagonal(z.shape[-1])
    falls = step[..., np.flatnonzero(on_diagonal)] < 0
    return falls[..., np.tril_indices(falls.shape[-1])[0]] & (step * z < 0) & ~on_diagonal


def held(bijection: Bijection, shape: tuple[int, ...]) -> np.ndarray:
    """Which numbers of a leaf its constraint holds where they are: the diagonal of a correlation matrix."""
    if isinstance(bijection, Correlation):
        return np.broadcast_to(np.eye(shape[-1], dtype=bool), shape)
    return np.zeros(shape, bool)


def eases(bijection: Bijection) -> bool:
    """Whether numbers of a leaf at its edge leave the others their standard errors."""
    return isinstance(bijection, Simplex | Ordered)


def at_edge(bijection: Bijection, z, value, step=None):
    """Which numbers of ``value`` are at an edge.

    ``step`` is what a climb to the edge was still moving z by, zero where z had settled. It tells a probability on its
    way to zero from one that is small, and a gap that closes from a narrow one, whatever their units. Without it (None)
    only what is below the square root of the rounding error counts.
    """
    if isinstance(bijection, Simplex):
        fading = _fading(z, value, step)
        return fading | (jnp.sum(~fading, axis=-1, keepdims=True) == 1)
    if isinstance(bijection, Ordered):
        meets = _meets(z, value, step)
        never = jnp.zeros((*value.shape[:-1], 1), bool)
        return jnp.concatenate([meets, never], axis=-1) | jnp.concatenate([never, meets], axis=-1)
    if isinstance(bijection, Covariance | Correlation):
        rows = jnp.any(_singular(bijection, z, value, step), axis=-1)
        return jnp.broadcast_to(rows[..., None, None], value.shape)
    return jnp.zeros(value.shape, bool)


def nearer(bijection: Bijection, value):
    """``value`` where what is, by rounding, at an edge that no limit of a single number says is much nearer to it: a
    probability of zero beside one. None where there is no such edge."""
    if not isinstance(bijection, Simplex):
        return None
    near = jnp.maximum(_NEARER * value, float(jnp.finfo(value.dtype).tiny))
    return jnp.where(value <= _rounding(value), near, value)


def onward(bijection: Bijection, value, slope):
    """The step in z to that edge of what falls no more on the way there, by the ``slope`` in the value at
    :func:`nearer`; None where there is no such edge."""
    if not isinstance(bijection, Simplex):
        return None
    rises = slope >= jnp.sum(value * slope, axis=-1, keepdims=True)
    logits = jnp.where((value <= _rounding(value)) & ~rises, -1.0, 0.0).astype(value.dtype)
    return logits[..., :-1] - logits[..., -1:]


def words(bijection: Bijection, name: str, labels: np.ndarray, z, value, step=None) -> list[str]:
    """What happens at the edges that a leaf is at, on the host; ``labels`` are those of its numbers."""
    if isinstance(bijection, Simplex):
        at = np.asarray(at_edge(bijection, z, value, step))
        return [f"{label} goes to {round(float(share))}" for label, share in zip(labels[at], value[at], strict=True)]
    if isinstance(bijection, Ordered):
        meets = np.asarray(_meets(z, value, step))
        return [f"{a} and {b} meet" for a, b in zip(labels[..., :-1][meets], labels[..., 1:][meets], strict=True)]
    if isinstance(bijection, Covariance | Correlation):
        found = np.argwhere(np.asarray(_singular(bijection, z, value, step))).tolist()
        gone = np.asarray(_vanishes(bijection, z, value))
        return [
            f"{_of(name, [*lead, row, row])} goes to 0"
            if gone[(*lead, row)]
            else f"{_of(name, lead)} becomes singular in row {row}"
            for *lead, row in found
        ]
    return []


def _rounding(value) -> float:
    return float(jnp.finfo(value.dtype).eps)


def _falls(change):
    """Whether a step that changes the logarithm of what is left to an edge by this much goes on to it."""
    return change < -_FALLS


def _fading(z, value, step):
    """Which probabilities go to zero."""
    if step is None:
        return value <= _rounding(value) ** 0.5
    logits = jnp.concatenate([step, jnp.zeros((*step.shape[:-1], 1), step.dtype)], axis=-1)
    change = logits - jnp.sum(value * logits, axis=-1, keepdims=True)
    return _falls(change) | (value == 0)


def _meets(z, value, step):
    """Which neighbours meet."""
    if step is None:
        return jnp.exp(z[..., 1:]) <= _rounding(value) ** 0.5 * (value[..., -1:] - value[..., :1])
    return _falls(step[..., 1:]) | (value[..., 1:] == value[..., :-1])


def _singular(bijection, z, value, step):
    """For each row of a matrix whether it becomes a combination of those above, or zero."""
    eps = _rounding(value)
    if isinstance(bijection, Covariance):
        own = np.flatnonzero(_on_diagonal(z.shape[-1]))
        left, diagonal = jnp.exp(2.0 * z[..., own]), jnp.diagonal(value, axis1=-2, axis2=-1)
        if step is None:
            return left <= eps**0.5 * jnp.max(diagonal, axis=-1, keepdims=True)
        return _falls(2.0 * step[..., own]) | (left <= eps * diagonal)
    rows, _ = np.tril_indices(value.shape[-1], -1)
    left = 1.0 - jnp.tanh(z) ** 2
    far = left <= eps**0.375
    if step is not None:
        far = (_falls(-2.0 * jnp.sign(z) * step) & far) | (left <= eps)
    return jnp.stack([jnp.any(far[..., rows == i], axis=-1) for i in range(value.shape[-1])], axis=-1)


def _vanishes(bijection, z, value):
    """For each row of a matrix that becomes singular there whether its variance itself goes to zero, since it is no
    combination of the rows above."""
    diagonal = jnp.diagonal(value, axis1=-2, axis2=-1)
    if isinstance(bijection, Correlation):
        return jnp.zeros(diagonal.shape, bool)
    own = jnp.exp(2.0 * z[..., np.flatnonzero(_on_diagonal(z.shape[-1]))])
    return own > _rounding(value) ** 0.375 * diagonal  # a climb ends sooner than elsewhere: z enters by its square


def _on_diagonal(entries: int) -> np.ndarray:
    """Which entries of a lower triangle, row by row, lie on the diagonal."""
    rows, columns = np.tril_indices((int((8 * entries + 1) ** 0.5) - 1) // 2)
    return rows == columns


def _of(name: str, lead) -> str:
    return f"{name}[{','.join(map(str, lead))}]" if lead else name
