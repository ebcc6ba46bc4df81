"""New rows to predict, shaped like those of a fitted regression."""

import re
from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import as_array, is_array, is_traced, named_leaves
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools

_LOG = re.compile(r"log\((\w+)\)")  # how a leaf is called that holds a logarithm


def new_rows(new_data: Any, x: Any, space: Space, design: Callable | None, idle: Callable[[], Collection[str]]):
    """``new_data`` as rows like those of ``x``, the design of the fit, of which what ``idle()`` names may be missing.

    A data frame is made into a design as that of the fit was (``design``), where it came from a formula; else it is
    taken by the labels of the coefficients where the design is one array, by its columns' names where it is a dict.
    Raises ``TypeError`` for another structure, ``ValueError`` for other shapes or missing columns.
    """
    names = design_labels(x, space)
    logs = _logs(x)
    if design is not None and hasattr(new_data, "columns") and not _has_labels(new_data, names):
        new_data = design(new_data)
    if hasattr(new_data, "columns") and hasattr(new_data, "to_numpy"):
        new_data = _from_frame(new_data, x, names, idle)
    new = row_tools.as_rows(_with_logs(_with_idle(new_data, x, idle), logs), "new_data")
    old = jax.tree_util.tree_structure(x, is_leaf=row_tools.is_shared)
    if jax.tree_util.tree_structure(new, is_leaf=row_tools.is_shared) != old:
        raise TypeError(
            f"new_data is not shaped like the data of the fit: it has {_described(new_data, {})}, and the fit was made "
            f"with {_described(_without(x, idle), logs)}; give the same tree with other rows"
        )
    new = jax.tree.map(_like, new, x, is_leaf=row_tools.is_shared)
    for (name, leaf), (_, fitted) in zip(row_tools.row_leaves(new), row_tools.row_leaves(x), strict=True):
        if leaf.ndim != fitted.ndim or leaf.shape[1:] != fitted.shape[1:]:
            hint = f": one row is written {name or 'new_data'}[None]" if leaf.shape == fitted.shape[1:] else ""
            raise ValueError(
                f"new_data{' leaf ' + repr(name) if name else ''} has shape {leaf.shape}; it must have a leading axis "
                f"of rows, each of shape {fitted.shape[1:]} as in the fit{hint}"
            )
    row_tools.count_rows(new, "new_data")
    return new


def design_labels(x: Any, space: Space) -> tuple[str, tuple[str, ...]] | None:
    """The name of the leaf of ``x`` whose columns the labels of a parameter name, and the labels; None if no labels."""
    labels = [own for own in space.labels or () if own is not None]
    leaves = [(name, leaf) for name, leaf in row_tools.row_leaves(x) if jnp.ndim(leaf) == 2]
    pairs = [(name, _of_columns(own, leaf.shape[1])) for name, leaf in leaves for own in labels]
    found = [(name, columns) for name, columns in pairs if columns is not None]
    return found[0] if len(found) == 1 else None


def _of_columns(labels, count) -> tuple[str, ...] | None:
    """The labels of ``count`` columns by those of their coefficients: one each, or one for each class (``2:age``,
    ``tea:age``)."""
    if len(labels) == count:
        return tuple(labels)
    each, rest = divmod(len(labels), max(count, 1))
    if rest or each < 2:
        return None
    groups = [labels[i : i + each] for i in range(0, len(labels), each)]
    bare = [_without_class(group) for group in groups]
    known = tuple(label for label in bare if label is not None)
    return known if len(known) == len(bare) else None


def _without_class(labels) -> str | None:
    """What the ``labels`` of one column say of it behind their classes, the longest that they share; None where they
    share nothing. The names of classes may have colons too."""
    first = labels[0]
    ends = [first[i:] for i, letter in enumerate(first) if letter == ":"]
    return next((end[1:] for end in ends if all(label.endswith(end) for label in labels)), None)


def is_beside(name: str) -> bool:
    """Whether ``name`` is that of what a model puts beside its design: an offset, an exposure, trials."""
    return name in ("offset", "trials") or _LOG.match(name) is not None


def _logs(x) -> dict[str, str]:
    """What the rows hold by its logarithm (an exposure), as it is called, and the name of the leaf with the log."""
    found = {name: _LOG.match(name) for name in x} if isinstance(x, dict) else {}
    return {match.group(1): name for name, match in found.items() if match is not None}


def _with_logs(new_data, logs):
    """``new_data`` with the logarithm of what it gives and the fit has by its logarithm. Raises ``ValueError`` where
    that is not positive."""
    if not isinstance(new_data, dict):
        return new_data
    new = dict(new_data)
    for name, leaf in logs.items():
        if name in new and leaf not in new:
            values = as_array(new.pop(name), name)
            if not is_traced(values) and not bool((values > 0).all()):
                raise ValueError(f"new_data leaf {name!r} must be positive, since its logarithm is taken")
            floating = jnp.issubdtype(values.dtype, jnp.floating)
            new[leaf] = jnp.log(values if floating else values.astype(float))
    return new


def _has_labels(frame, names) -> bool:
    """Whether the columns of the frame are those of the design itself."""
    return names is not None and set(names[1]) <= set(map(str, frame.columns))


def _from_frame(frame, x, names, idle):
    """The columns of a frame that the fit was made with: an array where the design is one, else a dict."""
    columns = list(map(str, frame.columns))
    if isinstance(x, dict):
        named = {} if names is None or names[0] not in x else {names[0]: list(names[1])}
        called = {leaf: name for name, leaf in _logs(x).items()}
        own = [key for key, leaf in x.items() if not row_tools.is_shared(leaf)]
        absent = [key for key in own if called.get(key, key) not in columns and (names is None or key != names[0])]
        unasked = idle() if absent else ()
        given = {key: called.get(key, key) for key in own if key not in absent or key not in unasked}
        wanted = [name for key in given for name in named.get(key, [given[key]])]
    else:
        wanted = columns if names is None else list(names[1])
    missing = [str(name) for name in wanted if name not in columns]
    if missing:
        raise ValueError(
            f"the data frame has no column {', '.join(missing)}, which the fit was made with: give its columns under "
            "the names of the coefficients, an array, or jm.predict the problem that a formula made"
        )
    if isinstance(x, dict):
        shared = {key: leaf for key, leaf in x.items() if key not in own}
        return shared | {given[key]: frame[named.get(key, given[key])].to_numpy() for key in given}
    return frame[wanted].to_numpy()


def _with_idle(new_data, x, idle):
    """``new_data`` with what makes no difference as it was in the first row of the fit, where it is left out; an array
    where nothing else is left."""
    if not isinstance(x, dict) or (isinstance(new_data, dict) and x.keys() <= new_data.keys()):
        return new_data
    unasked = idle()
    rest = [key for key in x if key not in unasked]
    if not isinstance(new_data, dict) and len(rest) == 1 < len(x):
        new_data = {rest[0]: new_data}
    if not isinstance(new_data, dict) or not rest or rest[0] not in new_data:
        return new_data
    rows = (np.shape(new_data[rest[0]]) or (1,))[0]
    absent = [key for key in unasked if key not in new_data and is_array(x[key])]
    return new_data | {key: jnp.broadcast_to(x[key][:1], (rows, *x[key].shape[1:])) for key in absent}


def _without(x, idle):
    """``x`` without what may be left out."""
    return {key: leaf for key, leaf in x.items() if key not in idle()} if isinstance(x, dict) else x


def _like(new, fitted):
    """``new`` in the floating type of the fit, so that whole numbers may be written without a point."""
    if row_tools.is_shared(new):
        return new
    return new.astype(fitted.dtype) if jnp.issubdtype(fitted.dtype, jnp.floating) else new


def _described(tree, logs) -> str:
    called = {leaf: name for name, leaf in logs.items()}
    names = [name for name, _ in named_leaves(tree, row_tools.is_shared)]
    if len(names) == 1 and not names[0]:
        return "one array"
    return f"the leaves {', '.join(called.get(name, name) or 'itself' for name in names)}" if names else "nothing"
