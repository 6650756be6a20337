"""The commit of the code and DVC's version of the data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.project.datasets import track_dataset
from flows.project.paths import Paths
from flows.project.provenance import (
    data_version,
    git_commit,
    read_provenance,
    record_provenance,
)
from flows.tracking.runs import connect, log_job
from tests.flows.made_up import MakeJob

DVC_CONFIG = Path(__file__).parents[3] / ".dvc" / "config"
IDENTITY = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


@pytest.fixture
def checkout(tmp_path: Path) -> Paths:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.py").write_text("a = 1\n")
    (tmp_path / "results.csv").write_text("a\n")
    for arguments in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return Paths(tmp_path)


def test_the_commit_is_named_and_changed_sources_make_it_dirty(checkout: Paths) -> None:
    clean = git_commit(checkout)
    assert len(clean) == 40
    (checkout.root / "results.csv").write_text("b\n")
    assert git_commit(checkout) == clean
    (checkout.root / "flows" / "a.py").write_text("a = 2\n")
    assert git_commit(checkout) == f"{clean}-dirty"


def test_changed_settings_make_the_commit_dirty(checkout: Paths) -> None:
    clean = git_commit(checkout)
    (checkout.root / "other.yaml").write_text("a: 1\n")
    assert git_commit(checkout) == clean
    assert git_commit(Paths(checkout.root, "other.yaml")) == f"{clean}-dirty"
    (checkout.root / "params/methods").mkdir(parents=True)
    (checkout.root / "params/methods/ffp.yaml").write_text("demo: {}\n")
    assert git_commit(checkout) == f"{clean}-dirty"


def test_outside_git_the_code_is_untracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(Paths(tmp_path)) == "untracked"


def test_the_data_version_is_what_dvc_pinned_or_the_pipeline_read_last(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert data_version(paths, "toy") == "untracked"
    pinned, read = tmp_path / "data.dvc", tmp_path / "dvc.lock"
    pinned.write_text("outs:\n- md5: aa.dir\n  path: data/toy\n- path: data/new\n")
    assert data_version(paths, "toy") == "aa.dir"
    stage = "    deps:\n    - path: footage/{}\n      md5: {}.dir\n"
    read.write_text(f"stages:\n  a:\n{stage.format('toy', 'bb')}  b:\n{stage.format('new', 'cc')}")
    os.utime(read, (2_000_000_000, 2_000_000_000))
    assert data_version(paths, "toy") == "bb.dir"
    os.utime(pinned, (3_000_000_000, 3_000_000_000))
    assert data_version(paths, "toy") == "aa.dir"
    assert data_version(paths, "new") == "cc.dir"
    assert data_version(paths, "other") == "untracked"


def test_a_job_keeps_the_provenance_it_was_computed_with(checkout: Paths) -> None:
    directory = checkout.root / "job"
    directory.mkdir()
    assert read_provenance(directory) == {"git_commit": "untracked", "data_version": "untracked"}
    first = record_provenance(checkout, "toy", directory)
    (checkout.root / "flows" / "a.py").write_text("a = 2\n")
    assert record_provenance(checkout, "toy", directory) == first == read_provenance(directory)


@pytest.mark.slow
def test_the_footage_of_a_run_is_found_back_from_its_tags(paths: Paths, make_job: MakeJob) -> None:
    """Two versions of the footage, a run of each; then the commands of docs/experiments.md for the first."""
    root, footage = paths.root, paths.data / "toy" / "a.avi"

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dvc = (sys.executable, "-m", "dvc")
    run("git", "init", "--quiet")
    (root / ".dvc").mkdir()
    shutil.copy(DVC_CONFIG, root / ".dvc")
    (root / ".gitignore").write_text("/data/\n/runs/\n/frames/\n/mlflow/\n")
    footage.parent.mkdir(parents=True)
    track_dataset(root, "toy")
    tags = []
    for version in ("first", "second"):
        footage.write_text(version)
        run(*dvc, "commit", "--quiet", "--force", "data.dvc")
        run("git", "add", ".")
        run("git", *IDENTITY, "commit", "--quiet", "-m", version)
        finished = make_job(data_version=version)
        (finished.directory / "provenance.json").unlink(missing_ok=True)
        record_provenance(paths, "toy", finished.directory)
        tags.append(connect(paths).get_run(log_job(paths, finished)).data.tags)

    first, second = tags
    assert first["data_version"] != second["data_version"]
    for one in tags:
        pinned = yaml.safe_load(run("git", "show", f"{one['git_commit']}:data.dvc"))
        assert [out["md5"] for out in pinned["outs"]] == [one["data_version"]]
    run("git", "checkout", "--quiet", first["git_commit"])
    run(*dvc, "checkout", "--quiet", "data.dvc")
    assert footage.read_text() == "first"
    assert data_version(paths, "toy") == first["data_version"]


def test_footage_that_was_pinned_but_not_committed_makes_the_commit_dirty(checkout: Paths) -> None:
    (checkout.root / "data.dvc").write_text("outs: []\n")
    assert git_commit(checkout).endswith("-dirty")
