"""What is profiled: numbers of z where a parameter is one of them, functions of z elsewhere."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.tree import NoSuchParameter
from jaxmle.parameters.bijections import Correlation, Covariance, Simplex
from jaxmle.parameters.layout import FIXED
from jaxmle.parameters.space import Space

PLAIN, LOG, LOGIT, ARCTANH = range(4)


class Profiled(eqx.Module):
    """What one lane profiles: ``sign`` times one number of z, or one of those that functions give at z; and the
    ``level`` it is to reach where it is told one."""

    place: Float[Array, " m"]
    pick: Float[Array, " q"]
    sign: Float[Array, ""]
    level: Float[Array, ""]

    def seen(self, functions: Callable | None, z):
        """Its value, gradient and second derivatives at ``z``; None for the last where it is linear."""
        if functions is None:
            return self.sign * jnp.dot(self.place, z), self.sign * self.place, None

        def value(z):
            return self.sign * (jnp.dot(self.place, z) + jnp.dot(self.pick, functions(z)))

        return value(z), jax.grad(value)(z), jax.hessian(value)(z)


@dataclasses.dataclass(frozen=True)
class Targets:
    """The unfixed ``scalars`` of params that are profiled, by number. Each has the number of z that it is in
    ``places``, -1 where a constraint ties several together: then it is profiled as a function of z, on the scale that
    ``links`` names. Hashable: part of what is compiled."""

    scalars: tuple[int, ...]
    places: tuple[int, ...]
    links: tuple[int, ...]

    @classmethod
    def of(cls, space: Space, scalars: tuple[int, ...]) -> "Targets":
        """The targets that ``scalars`` are in ``space``."""
        places, links = _places_and_links(space)
        return cls(scalars, tuple(int(places[j]) for j in scalars), tuple(int(links[j]) for j in scalars))

    def lanes(self, dtype, size: int, signs) -> Profiled:
        """A lane for each of the targets, once with each of ``signs``."""
        places, count = np.asarray(self.places), len(self.places)
        place = places[:, None] == np.arange(size)
        pick = np.arange(count)[:, None] == np.flatnonzero(places < 0)
        return Profiled(
            jnp.asarray(np.tile(place, (len(signs), 1)), dtype),
            jnp.asarray(np.tile(pick, (len(signs), 1)), dtype),
            jnp.repeat(jnp.asarray(signs, dtype), count),
            jnp.zeros(len(signs) * count, dtype),
        )

    def functions(self, space: Space) -> Callable | None:
        """The function that gives those targets at z that are no number of z; None where there are none."""
        curved = [(j, link) for j, place, link in zip(self.scalars, self.places, self.links, strict=True) if place < 0]
        if not curved:
            return None
        which = np.asarray([j for j, _ in curved])
        return lambda z: linked(space.scalars(z)[which], np.asarray([link for _, link in curved]))

    def to_scalars(self, space: Space, z, ends):
        """The parameters that ``ends``, on the scale they were profiled on, stand for."""
        at = np.asarray([k for k in self.places if k >= 0], int)
        mine = np.asarray([i for i, k in enumerate(self.places) if k >= 0], int)
        moved = space.scalars(z.at[at].set(ends[mine]))[np.asarray(self.scalars)]
        return jnp.where(np.asarray(self.places) >= 0, moved, unlinked(ends, np.asarray(self.links)))

    def to_levels(self, space: Space, z, points):
        """What ``points``, values of the one target, are on the scale it is profiled on; not finite where its
        constraint does not allow one."""
        (place,), (link,) = self.places, self.links
        if place < 0:
            return linked(points, np.asarray(link))
        leaf, start = next(pair for pair in reversed(_starts_in_z(space)) if pair[1] <= place)
        here = space.point(z)[leaf]

        def level(point):
            moved = here.ravel().at[place - start].set(point).reshape(here.shape)
            return space.bijections[leaf].inverse(moved).ravel()[place - start]

        return jax.vmap(level)(points)

    def falls(self, space: Space, z):
        """Which of them fall as their number of z grows."""
        slopes = jax.jvp(space.scalars, (z,), (jnp.ones_like(z),))[1][np.asarray(self.scalars)]
        return (np.asarray(self.places) >= 0) & (slopes < 0)


def linked(values, links):
    """``values`` on the scale that each of ``links`` names."""
    logs = jnp.log(jnp.where(links == LOG, values, 1.0))
    shares = jnp.where(links == LOGIT, values, 0.5)
    correlations = jnp.where(links == ARCTANH, values, 0.0)
    return _by_link(links, values, logs, jnp.log(shares) - jnp.log1p(-shares), jnp.arctanh(correlations))


def unlinked(values, links):
    """The numbers whose :func:`linked` ones are ``values``."""
    return _by_link(links, values, jnp.exp(values), jax.nn.sigmoid(values), jnp.tanh(values))


def _by_link(links, plain, log, logit, arctanh):
    return jnp.where(links == LOG, log, jnp.where(links == LOGIT, logit, jnp.where(links == ARCTANH, arctanh, plain)))


def asked_scalars(space: Space, which: Any) -> tuple[int, ...]:
    """The numbers of the unfixed scalars that ``which`` names: None for all, a name or a label, or a list of them.

    Raises ``KeyError`` for a name that none has, ``ValueError`` for one that is held fixed, or an empty list.
    """
    labels, names = space.scalar_labels(), _leaf_names(space)
    if which is None:
        return tuple(range(len(labels)))
    wanted = [which] if isinstance(which, str) else list(which)
    if not wanted:
        raise ValueError("which is empty: name at least one parameter, or leave it out for all")
    found: list[int] = []
    for name in wanted:
        here = [j for j, pair in enumerate(zip(labels, names, strict=True)) if _is_named(name, *pair)]
        if not here:
            raise _not_there(space, name, labels)
        found += [j for j in here if j not in found]
    return tuple(found)


def _is_named(name, label, leaf):
    return name in (label, leaf) or leaf.startswith((f"{name}.", f"{name}["))


def _not_there(space, name, labels):
    if any(leaf.kind == FIXED and _is_named(name, leaf.name, leaf.name) for leaf in space.layout.leaves):
        return ValueError(f"{name!r} is held fixed, so it has no profile; leave jm.fixed off its start and fit again")
    return NoSuchParameter(f"no parameter is called {name!r}; there are: {', '.join(labels)}")


def _leaf_names(space):
    return [leaf.name for leaf in space.unfixed() for _ in range(int(np.prod(space.layout.shapes[leaf.index])))]


def _starts_in_z(space) -> list[tuple[int, int]]:
    """Each free leaf that is not empty, with where it begins in z."""
    sizes = [int(np.prod(shape)) for shape in space.layout.free_shapes]
    starts = np.cumsum([0, *sizes])
    return [(i, int(starts[i])) for i, size in enumerate(sizes) if size]


def _places_and_links(space):
    starts = dict(_starts_in_z(space))
    places: list[int] = []
    links: list[int] = []
    for leaf in space.unfixed():
        shape, bijection = space.layout.shapes[leaf.index], space.bijections[leaf.index]
        size = int(np.prod(shape))
        elementwise = bijection.elementwise
        places += [starts[leaf.index] + i for i in range(size)] if elementwise else [-1] * size
        links += [PLAIN] * size if elementwise else list(_links_of(bijection, shape))
    return places, links


def _links_of(bijection, shape):
    """The scales on which the numbers of a constrained leaf are unbounded, as far as that is simple."""
    if isinstance(bijection, Simplex):
        return np.full(shape, LOGIT).ravel()
    if isinstance(bijection, Covariance | Correlation):
        on, off = (LOG, PLAIN) if isinstance(bijection, Covariance) else (PLAIN, ARCTANH)
        return np.broadcast_to(np.where(np.eye(shape[-1], dtype=bool), on, off), shape).ravel()
    return np.full(shape, PLAIN).ravel()
