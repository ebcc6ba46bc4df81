"""The one writer of files: its leftovers, its modes and its words."""

import os
import stat
import time

import pytest

import jaxmle as jm
from jaxmle.core.files import write_whole


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone: make it first"):
        write_whole(tmp_path / "gone" / "a", b"")
    with pytest.raises(FileNotFoundError, match=r"gone/fit.npz cannot be written"):
        jm.save(tmp_path / "gone" / "fit.npz", jm.fit(jm.models.poisson([2.0, 3.0])))


def test_what_a_killed_writer_left_is_removed_once_it_is_old(tmp_path):
    old, young, foreign = (tmp_path / name for name in ("a[1].0123abcd.tmp", "a[1].89ab0123.tmp", "a[1].notes.tmp"))
    for path in (old, young, foreign):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    os.utime(foreign, (time.time() - 7200,) * 2)
    write_whole(tmp_path / "a[1]", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a[1]", "a[1].89ab0123.tmp", "a[1].notes.tmp"]


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_the_mode_is_what_the_user_asks_of_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
