"""What plots look up before they draw: which numbers are meant, and what they are."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.targets import asked_scalars
from jaxmle.parameters.space import Space


def chosen(space: Space, which: Any) -> tuple[tuple[int, ...], list[str]]:
    """The places among the unfixed scalars of params of what ``which`` names, and their labels.

    Raises ``KeyError`` for a name that none has, ``ValueError`` for one that is fixed.
    """
    places = asked_scalars(space, which)
    labels = space.scalar_labels()
    return places, [labels[j] for j in places]


def exactly(space: Space, which: Any, count: int) -> tuple[tuple[int, ...], list[str]]:
    """As :func:`chosen`. Raises ``ValueError`` unless it is ``count`` numbers."""
    places, labels = chosen(space, which)
    if len(places) != count:
        some = ", ".join((labels if len(places) > count else space.scalar_labels())[:8])
        noun = "one number" if count == 1 else f"{count} numbers"
        raise ValueError(f"this plot is of {noun}, and {which!r} names {len(places)}: choose {noun} of {some}")
    return places, labels


def one_fit(fit: Fit) -> Fit:
    """``fit``. Raises ``ValueError`` where it is a batch, or no estimate."""
    if np.ndim(fit.status):
        raise ValueError(
            "this plot is of one fit, and this is a batch: take a lane, jax.tree.map(lambda x: x[0], fits), or see "
            "jm.plots.batch"
        )
    if not fit.ok:
        raise ValueError(f"there is no estimate to draw: {fit.message}")
    return fit


def scalars_of_lanes(fits: Fit, what: str = "this plot") -> np.ndarray:
    """The unfixed scalars of each lane of a batch, (lanes, p). Raises ``ValueError`` for a single fit."""
    if np.ndim(fits.status) != 1:
        raise ValueError(
            f"{what} is of a batch of fits, with one leading axis: those of jm.fit_batch, or of jax.vmap over jm.fit"
        )
    space = fits.space.unlabelled
    return np.asarray(jax.vmap(Space.scalars)(space, fits.z), float)


def are_positive(space: Space) -> np.ndarray:
    """For each unfixed scalar of params, whether its constraint is that it is positive, however large."""
    limits = [space.bijections[leaf.index].limits() for leaf in space.unfixed()]
    kinds = [low is not None and high is None and bool(np.all(np.asarray(low) >= 0)) for low, high in limits]
    sizes = [int(np.prod(space.layout.shapes[leaf.index], dtype=int)) for leaf in space.unfixed()]
    return np.repeat(kinds, sizes)


def as_batch(fits: Fit | Sequence[Fit]) -> Fit:
    """A sequence of fits of one model as a batch; a batch as it is. Raises ``ValueError`` for several models."""
    if isinstance(fits, Fit):
        return fits
    fits = list(fits)
    try:
        return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *fits)
    except (ValueError, TypeError) as error:
        raise ValueError("these are not fits of one model: their parameters differ; give fits of one start") from error


def scalar(value: Any) -> float:
    """A number of JAX as one of Python."""
    return float(np.asarray(value))


def the_scalars(space: Space, tree: Any) -> np.ndarray:
    """The unfixed scalars of a tree shaped like params, in tree order."""
    return np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in space.unfixed_leaves(tree)])
