"""A fit on disk: one file, an npz archive of arrays beside a header in JSON that says how they belong together."""

import io
import json
import os
import types
from typing import Any

import jax
import numpy as np

from jaxmle.core.files import write_whole
from jaxmle.core.tree import is_traced
from jaxmle.fitting.encoding import NOTHING, UnknownClass, UnlikeSpecimen, decode, encode
from jaxmle.fitting.plausible import contradiction
from jaxmle.fitting.result import Fit
from jaxmle.parameters.layout import FREE
from jaxmle.parameters.space import Space

FORMAT = "jaxmle fit"
VERSION = 1  # one more whenever a file of before could no longer be read, or would be misunderstood
_LONG = ("float64", "int64", "uint64", "complex128")


def save(path: str | os.PathLike, fit: Fit) -> None:
    """Write ``fit`` to the file ``path``, bit for bit, from which :func:`jaxmle.load` makes it again. No pickle.

    Arguments: ``path``, of the file, taken as it is; ``fit``, one fit or a batch of them. A file that was there is
    replaced whole: no reader ever meets half of one.

    Errors: ``TypeError`` for anything else than a fit, ``ValueError`` inside ``jax.jit``, ``OSError`` where the file
    cannot be written.

    >>> import tempfile
    >>> import jaxmle as jm
    >>> fit = jm.fit(jm.models.poisson([2.0, 3.0, 4.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/fit.npz", fit)
    ...     again = load(f"{folder}/fit.npz")
    >>> again.message == fit.message, bool(again.params["rate"] == fit.params["rate"])
    (True, True)
    """
    if not isinstance(fit, Fit):
        raise TypeError(
            f"jm.save(path, fit) writes a Fit, not a {type(fit).__name__}; give the path first, then the fit"
        )
    if is_traced(fit):
        raise ValueError("inside jit or vmap a fit has no values yet that a file could hold: save what comes out of it")
    arrays: list[np.ndarray] = []
    header = {"format": FORMAT, "version": VERSION, "jaxmle": _own_version(), "fit": encode(fit, arrays)}
    header["dtypes"] = [str(array.dtype) for array in arrays]
    content = {f"array{i}": array for i, array in enumerate(arrays)}
    buffer = io.BytesIO()
    text = json.dumps(header, allow_nan=False)
    np.savez(buffer, allow_pickle=False, header=np.frombuffer(text.encode(), np.uint8), **content)
    write_whole(path, buffer.getvalue())


def load(path: str | os.PathLike, like: Any = None) -> Fit:
    """The fit that :func:`jaxmle.save` wrote to ``path``.

    Arguments: ``path``, of the file; ``like``, needed only where the parameters (or the state of a training) are in
    NamedTuples, Equinox modules or other classes of yours, which a file cannot rebuild: the start the fit was made
    from, marks and all, or another fit of the same structure. Its numbers are not used, its structure is compared.

    Errors: ``ValueError`` for a file that is cut short, damaged, of something else or of a later version, for parts
    that contradict each other (parameters that are not those of ``z``), for 64-bit numbers while JAX has 64 bits turned
    off, and for a ``like`` that is missing, of another structure or with other marks; ``OSError`` where there is no
    such file.

    >>> import tempfile
    >>> import jaxmle as jm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/fit.npz", jm.fit(jm.models.bernoulli([0, 1, 1, 1])))
    ...     round(float(load(f"{folder}/fit.npz").params["p"]), 4)
    0.75
    """
    header, arrays = _read(path)
    specimen: Any = NOTHING if like is None else _specimen(like)
    try:
        fit = decode(header["fit"], arrays, specimen)
    except UnknownClass as unknown:
        raise ValueError(
            f"{path} holds a fit with a {unknown}, a class that a file cannot rebuild: give the start that was fitted, "
            "marks and all, jm.load(path, like=start); for the state of a training, a fit that has such a state"
        ) from unknown
    except UnlikeSpecimen as error:
        raise _unlike(path, str(error)) from error
    except Exception as error:
        raise _damaged(path, f"its parts do not belong together: {error}") from error
    if not isinstance(fit, Fit) or not isinstance(fit.space, Space):
        raise _damaged(path, "it does not hold a fit")
    if like is not None:
        _compare(path, fit.space, specimen.space)
    why = contradiction(fit)
    if why is not None:
        raise _damaged(path, why)
    return fit


def _read(path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The header and the arrays of the file. Raises ``ValueError`` for a file that :func:`save` did not write."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if "header" not in archive.files:
                raise _foreign(path, f"it is an archive of {', '.join(archive.files) or 'nothing'}")
            header = json.loads(archive["header"].tobytes())
            _check_header(path, header)
            pairs = enumerate(header["dtypes"])
            return header, [_dressed(archive[f"array{i}"], dtype) for i, dtype in pairs]
    except _Refusal as refusal:
        raise ValueError(str(refusal)) from None
    except Exception as error:
        if content.startswith(b"PK"):
            raise _damaged(path, "its archive cannot be read whole") from error
        raise ValueError(str(_foreign(path, "it is no archive" if content else "it is empty"))) from error


class _Refusal(Exception):
    """What is wrong with a file, in words, once it is clear that it is not damaged."""


def _check_header(path, header):
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        what = header.get("format", header.get("kind")) if isinstance(header, dict) else None
        raise _foreign(path, "its header is another's" if what is None else f"it holds a {what}")
    if header["version"] != VERSION:
        raise _Refusal(
            f"{path} was written in version {header['version']} of the format, by jaxmle {header['jaxmle']}; this is "
            f"jaxmle {_own_version()}, which reads version {VERSION}: use the jaxmle that wrote it, or fit again"
        )
    long = [dtype for dtype in header["dtypes"] if dtype in _LONG]
    if long and not jax.config.read("jax_enable_x64"):
        raise _Refusal(
            f"{path} holds {long[0]} numbers, and JAX would cut them to 32 bits: say "
            'jax.config.update("jax_enable_x64", True) before anything else'
        )


def _foreign(path, why) -> _Refusal:
    return _Refusal(f"{path} was not written by jm.save: {why}; give the path of a fit that was")


def _damaged(path, why) -> ValueError:
    return ValueError(f"{path} is damaged or cut short ({why}); copy it again from where it was, or fit again")


def _specimen(like) -> Any:
    """Something with the fields of a fit that show its structure."""
    if isinstance(like, Fit):
        return like
    space, values = Space.of(like)
    return types.SimpleNamespace(space=space, params=space.lift(values))


def _compare(path, found, wanted):
    """Refuse a ``like`` with another layout or other marks, naming the first parameter that differs."""
    _compare_layouts(path, found.layout, wanted.layout)
    names = [leaf.name for leaf in found.layout.leaves if leaf.kind == FREE]
    for name, have, want in zip(names, found.bijections, wanted.bijections, strict=True):
        if jax.tree_util.tree_structure(have) != jax.tree_util.tree_structure(want):
            raise _unlike(path, f"{name!r} is {have.describe()} in it and {want.describe()} in like")


def _compare_layouts(path, found, wanted):
    pairs = zip([*_described(found), None], [*_described(wanted), None], strict=False)
    for have, want in pairs:
        if have != want:
            raise _unlike(path, f"it has {have or 'no more parameters'} where like has {want or 'no more'}")
    if found.treedef != wanted.treedef:
        raise _unlike(path, "the names agree, the containers do not (a list for a tuple, say)")


def _unlike(path, why) -> ValueError:
    return ValueError(
        f"the fit in {path} is not of the structure of like: {why}; give the start that was fitted, marks and all"
    )


def _described(layout) -> list[str]:
    shapes = [f" of shape {layout.shapes[leaf.index]}" if leaf.kind == FREE else "" for leaf in layout.leaves]
    return [f"{leaf.name!r} ({leaf.kind}{shape})" for leaf, shape in zip(layout.leaves, shapes, strict=True)]


def _dressed(array, dtype: str) -> np.ndarray:
    """``array`` in its ``dtype``: npz gives back bfloat16 and its kin as bare bits."""
    return array if str(array.dtype) == dtype else array.view(jax.numpy.dtype(dtype))


def _own_version() -> str:
    from jaxmle import __version__

    return __version__
