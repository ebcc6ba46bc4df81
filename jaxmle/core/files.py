"""Files that are whole or as they were."""

import contextlib
import os
import secrets


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` to ``path``, through a link and not over it, so that no reader ever meets half of it.

    Arguments: ``path``, of the file, that is made or replaced; ``content``, its bytes. Errors: ``OSError``, which
    leaves what was there as it was.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/a", b"whole")
    ...     pathlib.Path(f"{folder}/a").read_bytes()
    b'whole'
    """
    target = os.path.realpath(path)
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
