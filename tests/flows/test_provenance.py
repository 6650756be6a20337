"""The commit of the code and DVC's version of the data."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.paths import Paths
from flows.provenance import data_version, git_commit, read_provenance, record_provenance


@pytest.fixture
def checkout(tmp_path: Path) -> Paths:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.py").write_text("a = 1\n")
    (tmp_path / "results.csv").write_text("a\n")
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return Paths(tmp_path)


def test_the_commit_is_named_and_changed_sources_make_it_dirty(checkout: Paths) -> None:
    clean = git_commit(checkout)
    assert len(clean) == 40
    (checkout.root / "results.csv").write_text("b\n")
    assert git_commit(checkout) == clean
    (checkout.root / "flows" / "a.py").write_text("a = 2\n")
    assert git_commit(checkout) == f"{clean}-dirty"


def test_outside_git_the_code_is_untracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(Paths(tmp_path)) == "untracked"


def test_the_data_version_is_the_datasets_own_where_a_stage_has_read_it(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert data_version(paths, "toy") == "untracked"
    (tmp_path / "data.dvc").write_text("outs:\n- md5: aa.dir\n  path: data/toy\n")
    assert data_version(paths, "toy") == "aa.dir"
    lock = "stages:\n  validate@toy:\n    deps:\n    - path: ingest/toy\n      md5: bb.dir\n"
    (tmp_path / "dvc.lock").write_text(lock)
    assert data_version(paths, "toy") == "bb.dir"
    assert data_version(paths, "other") == "untracked"


def test_a_job_keeps_the_provenance_it_was_computed_with(checkout: Paths) -> None:
    directory = checkout.root / "job"
    directory.mkdir()
    assert read_provenance(directory) == {"git_commit": "untracked", "data_version": "untracked"}
    first = record_provenance(checkout, "toy", directory)
    (checkout.root / "flows" / "a.py").write_text("a = 2\n")
    assert record_provenance(checkout, "toy", directory) == first == read_provenance(directory)
