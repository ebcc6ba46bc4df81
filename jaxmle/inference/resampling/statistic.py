"""What is asked about an estimate: the numbers of a function of params, or all unfixed scalars of params.

``statistic`` is a function of params, or None; its ``sample`` is the tree that it returns at the estimate, or None.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.inference.delta import names_of
from jaxmle.parameters.space import Space


def numbers_of(statistic: Any, space: Space, z: Float[Array, " m"]) -> Float[Array, " k"]:
    """The numbers asked about at ``z``, as one vector. Raises ``TypeError`` where the statistic returns nothing."""
    if statistic is None:
        return space.scalars(z)
    leaves = jax.tree.leaves(statistic(space.params(z)))
    if not leaves:
        raise TypeError("the statistic returned nothing: return a number, an array, or a tree of them")
    return jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(z.dtype) for leaf in leaves])


def slopes_of(statistic: Any, space: Space, z: Float[Array, " m"]) -> Float[Array, "k m"]:
    """The derivative of the numbers asked about in z."""
    return jax.jacfwd(lambda z: numbers_of(statistic, space, z))(z)


def tree_of(flat: Float[Array, " k"], sample: Any, space: Space) -> Any:
    """One number for each asked about, as a tree like the statistic, or like params with NaN for what is fixed."""
    if sample is None:
        return space.tree_of_leaves(space.leaves_of_scalars(flat, jnp.nan))
    leaves, treedef = jax.tree_util.tree_flatten(sample)
    ends = np.cumsum([jnp.size(leaf) for leaf in leaves])
    parts = [flat[end - jnp.size(leaf) : end] for end, leaf in zip(ends, leaves, strict=True)]
    return treedef.unflatten([part.reshape(jnp.shape(leaf)) for part, leaf in zip(parts, leaves, strict=True)])


def flat_of(tree: Any, sample: Any, space: Space) -> np.ndarray:
    """The numbers of such a tree, on the host."""
    if sample is None:
        return np.asarray(space.scalars_of(tree))
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def labels_of(sample: Any, space: Space) -> list[str]:
    """A label for each number asked about."""
    return space.scalar_labels() if sample is None else names_of(sample)
