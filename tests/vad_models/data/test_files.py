"""A file is whole or absent, and a full disk is one sentence."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vad_models.data.files import (
    atomic_path,
    explain_write_errors,
    remove_partials,
    require_space,
    write_json,
)
from vad_models.errors import DataError


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "x.json"
    with atomic_path(target) as temporary:
        temporary.write_text("{}")
        assert temporary.suffix == ".json"
        assert not target.exists()
    assert target.read_text() == "{}"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert "old" in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_with_what_is_needed(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    sentence = r"disk .* full: .*x\.npy takes 5 MB .* free \d+ MB"
    with pytest.raises(DataError, match=sentence), atomic_path(target, size=5_000_000) as temporary:
        temporary.write_bytes(b"half")
        Path("/dev/full").write_bytes(b"x")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_recognised_in_foreign_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"disk .* full"), explain_write_errors(tmp_path / "x"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")


def test_a_forbidden_folder_is_said(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with pytest.raises(DataError, match="may not be written"), atomic_path(target):
        raise PermissionError(errno.EACCES, "Permission denied", str(target))


def test_too_large_a_need_is_refused_before_the_work(tmp_path: Path) -> None:
    require_space(tmp_path / "x", 1)
    with pytest.raises(DataError, match=r"disk .* full"):
        require_space(tmp_path / "not" / "there" / "x", 10**18)


def test_leftovers_of_a_killed_job_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    leftover = tmp_path / "a" / ".x.0123abcd.partial.npy"
    whole = tmp_path / "a" / "x.npy"
    leftover.touch()
    whole.touch()
    remove_partials(tmp_path)
    assert whole.exists()
    assert not leftover.exists()
