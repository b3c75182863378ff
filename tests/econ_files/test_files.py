"""Files: written whole or not at all, for their owner alone, and read within bounds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from econ_files.bounded import Unreadable, read_regular
from econ_files.durable import replace_file
from econ_files.private import append_privately, create_privately, replace_privately

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes, links and pipes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_every_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    appended, empty, opened, replaced = (tmp_path / name for name in "abcd")
    append_privately(appended).close()
    create_privately(empty)
    replace_privately(opened).close()
    replace_file(replaced, b"whole")
    assert [mode(path) for path in (appended, empty, opened, replaced)] == [0o600] * 4


def test_an_existing_file_is_kept_where_one_is_only_asked_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    create_privately(file)
    with append_privately(file) as text:
        text.write(", and more")
    assert file.read_bytes() == b"kept, and more"


@posix
def test_nothing_is_written_to_where_a_link_leads(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replace_privately(link) as file:
        file.write(b"new")
    replace_file(link, b"newer")
    assert (target.read_bytes(), link.read_bytes()) == (b"old", b"newer")
    assert not link.is_symlink()


def test_a_replaced_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for data in (b"first", b"second"):
        replace_file(file, data)
        assert (file.read_bytes(), list(tmp_path.iterdir())) == (data, [file])


@posix
def test_only_a_regular_file_within_the_limit_is_read(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_bytes(b"12345")
    link.symlink_to(file)
    os.mkfifo(pipe)
    assert read_regular(file, 5) == b"12345"
    assert read_regular(link, 5, follow_links=True) == b"12345"
    for path, limit, reason in (
        (file, 4, "has 5 bytes, and at most 4 are read"),
        (link, 5, "is a link"),
        (pipe, 5, "is not a regular file"),
        (tmp_path, 5, "cannot be read: Is a directory"),
        (tmp_path / "none", 5, "cannot be read"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read_regular(path, limit)
