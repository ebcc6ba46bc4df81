"""Files that are whole or as they were."""

import contextlib
import glob
import os
import secrets
import time

_ABANDONED = 3600.0  # seconds without a change, after which a temporary file is that of a writer that was killed


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` to ``path``, through a link and not over it, so that no reader ever meets half of it.

    Arguments: ``path``, of the file, that is made or replaced; ``content``, its bytes. Temporary files that
    writers of the same path left behind when they were killed are removed once they are an hour old.

    Errors: ``FileNotFoundError`` where there is no such folder, any other ``OSError`` of the system; what was there
    is then left as it was.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/a", b"whole")
    ...     pathlib.Path(f"{folder}/a").read_bytes()
    b'whole'
    """
    target = os.path.realpath(path)
    _check_folder(os.path.dirname(target), path)
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"  # beside it: a rename is one stroke within a file system only
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _settle(os.path.dirname(target))
    _sweep(target)


def _check_folder(folder: str, path) -> None:
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{os.fspath(path)} cannot be written, because there is no folder {folder}: make it first, or check the "
            "path"
        )


def _sweep(target: str) -> None:
    """Remove what writers of ``target`` left behind that were killed long ago."""
    for leftover in glob.glob(f"{glob.escape(target)}.{'[0-9a-f]' * 8}.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - os.stat(leftover).st_mtime > _ABANDONED:
                os.unlink(leftover)


def _settle(folder: str) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system can (Windows cannot open a folder)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
