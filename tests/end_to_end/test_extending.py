"""The examples of docs/extending.md, added to a clone: they touch the files that its table names, and they run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.project.paths import Paths
from flows.results.tables import read_results
from flows.tracking.runs import connect, prepare_tracking
from tests.databases import copy_databases
from tests.footage import blobs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()

FRAMES = 30
"""Frames per video."""

SETTINGS = """\
benchmark: {datasets: [site], methods: [next_frame]}
datasets:
  default: {profile: demo, seeds: [0], frames: [32x48x1], holdout: 0.3}
evaluation: {bootstrap: 20}
"""

BENCHMARK_AND_STUDY = "vad benchmark --dataset site && vad study run smoothing --dataset site"


def table() -> set[str]:
    """Files that the table of the page names."""
    rows = re.findall(r"^\| \[a .*?\| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 4
    return {file for row in rows for file in re.findall(r"`([^`]+)`", row)}


def examples() -> Iterator[tuple[str, str, bool]]:
    """File, code, and whether it is added to the end of a file that is there."""
    for end, file, code in re.findall(
        r"^(At the end of )?`(\S+)`:\n\n```\w+\n(.*?)```$", PAGE, flags=re.MULTILINE | re.DOTALL
    ):
        yield file, code, bool(end)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, empty_databases: dict[str, Path]) -> Path:
    """A repository of its own with the files that git tracks here, as they are, and the examples."""
    root = tmp_path_factory.mktemp("clone")
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name, follow_symlinks=False)
    run("git", "init", "--quiet", cwd=root)
    run("git", "add", "--all", cwd=root)
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    run("git", *identity, "commit", "--quiet", "--message", "as it is", cwd=root)
    for file, code, appended in examples():
        before = f"{(root / file).read_text()}\n\n" if appended else ""
        (root / file).write_text(before + code)
    copy_databases(empty_databases, Paths(root))
    return root


def run(*command: str, cwd: Path) -> str:
    """Run a command that must succeed, with the code in `cwd`, and return its output."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(cwd),
        "HOME": str(cwd),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_touch_exactly_the_files_that_the_table_names(clone: Path) -> None:
    changed = run("git", "status", "--porcelain", "--untracked-files=all", cwd=clone).splitlines()
    assert {line[3:] for line in changed} == table()


def test_the_examples_keep_the_style_of_the_project(clone: Path) -> None:
    written = sorted(file for file in table() if file.endswith(".py"))
    run("ruff", "check", *written, cwd=clone)
    run("ruff", "format", "--check", *written, cwd=clone)
    run("lint-imports", cwd=clone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "picked"),
    [
        ("tests/vad_models/methods/test_contract.py", "next_frame"),
        ("tests/vad_models/studies/distortions/test_distortions.py", "dead_rows"),
        ("tests/vad_models/data/layouts/test_layouts.py", "flat_videos"),
    ],
)
def test_the_tests_of_their_kind_pick_them_up_unedited(clone: Path, tests: str, picked: str) -> None:
    said = run(sys.executable, "-m", "pytest", "-q", tests, "-k", picked, cwd=clone)
    assert re.search(r"^[1-9]\d* passed", said.splitlines()[-1]), said


@pytest.mark.slow
@pytest.mark.integration
def test_the_examples_run(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for camera in ("north", "south"):
        for number in range(3):
            split = "test" if number == 2 else "train"
            frames = blobs(FRAMES, number)
            if split == "test":
                frames[FRAMES // 2 :] = blobs(FRAMES, number, speed=3.0, block=9)[FRAMES // 2 :]
                np.save(tmp_path / f"{camera}_test_{number}.npy", np.arange(FRAMES) >= FRAMES // 2)
            write_video(tmp_path / f"{camera}_{split}_{number}.avi", frames)
    (clone / "params.yaml").write_text(SETTINGS)

    run("vad", "data", "import", str(tmp_path), "--name", "site", "--layout", "flat_videos", cwd=clone)
    paths = Paths(clone)
    assert "Smooth the scores of trained methods over time" in run("vad", "study", "list", cwd=clone)
    shown = run("vad", "with-server", "sh", "-c", BENCHMARK_AND_STUDY, cwd=clone)
    assert (paths.runs / "site/next_frame/north/seed0/model.safetensors").exists()
    assert "micro AUC, per video, by frames averaged" in shown

    cells = {cell: cell.stat().st_mtime_ns for cell in (paths.grids / "smoothing/site").iterdir()}
    table = (paths.results / "smoothing_site.csv").read_bytes()
    assert len(cells) == 2 * 3
    lost = next(iter(cells))
    lost.unlink()
    run("vad", "smoothing", "--dataset", "site", cwd=clone)
    assert (paths.results / "smoothing_site.csv").read_bytes() == table
    assert {cell for cell, changed in cells.items() if cell.stat().st_mtime_ns != changed} == {lost}

    results = read_results(paths.results / "smoothing_site.csv")
    assert set(results["window"]) == {1, 5, 15}
    assert results["command"].iloc[0] == "vad smoothing --dataset site --method next_frame --seed 0"
    assert (paths.plots / "site/smoothing.png").stat().st_size > 5_000
    runs = connect(paths).search_runs([prepare_tracking(paths, "site", "smoothing")])
    assert len(runs) == 1 + 2 + 6


def write_video(file: Path, frames: np.ndarray) -> None:
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height), isColor=False)
    for frame in frames:
        writer.write(frame[..., 0] if frame.ndim == 3 else frame)
    writer.release()
