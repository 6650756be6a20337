"""`dvc repro` in a checkout: on a clone without data, from footage to report, and when there is nothing to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from flows.project.datasets import track_dataset

GRID = """
studies:
  robustness: {methods: [conv_ae], brightness: [1.0], rain: [none], distortions: [fog], severities: [5]}
"""

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def checkout(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of the project with small settings and the footage of `project_root`, pinned by data.dvc."""
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(project_root))
    for folder in ("flows", "vad_models"):
        shutil.copytree(ROOT / folder, project_root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (project_root / "params.yaml").write_text((project_root / "params.yaml").read_text() + GRID)
    for file in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / file, project_root / file)
    (project_root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", project_root / ".dvc/config")
    run("git", "init", "--quiet")
    track_dataset(project_root, "blobs")
    run("dvc", "commit", "--quiet", "--force", "data.dvc")
    return project_root


def run(*command: str) -> str:
    """Output of a command that succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_a_clone_without_data_says_in_one_sentence_how_to_get_some(checkout: Path) -> None:
    shutil.rmtree(checkout / "data")

    done = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("vad: ")]
    assert sentence.startswith("vad: there is no data/blobs: ")
    for way in ("vad data synth", "dvc pull", "vad data import"):
        assert way in sentence
    assert stages_run(done.stdout) == ["ingest@blobs"]
    assert "data.dvc" not in done.stderr


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_repro_does_everything_once_and_only_what_changed(checkout: Path) -> None:
    first = run("vad", "with-server", "dvc", "repro")
    assert stages_run(first) == [
        f"{stage}@blobs{'-conv_ae' if stage == 'train' else ''}"
        for stage in ("ingest", "validate", "derive", "train", "evaluate", "report", "robustness")
    ]
    assert (checkout / "results/robustness_blobs.csv").exists()
    metrics = json.loads(run("dvc", "metrics", "show", "--json"))
    assert "conv_ae" in metrics[""]["data"]["metrics/blobs.json"]["data"]

    started = time.perf_counter()
    second = run("dvc", "repro")
    seconds = time.perf_counter() - started
    assert stages_run(second) == []
    assert seconds < 10

    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 2", "epochs: 3"))
    dry = run("dvc", "repro", "--dry")
    assert stages_run(dry)[0] == "train@blobs-conv_ae"

    (checkout / "data/blobs/testing/frames/01_003/004.png").write_bytes(b"no image")
    done = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "test video 01_003 of camera 01" in done.stderr
    assert "004.png" in done.stderr
    assert stages_run(done.stdout) == ["validate@blobs"]


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_an_experiment_is_compared_with_the_revision_that_it_began_from(checkout: Path) -> None:
    """The commands of docs/experiments.md, in a folder of the experiment's own."""
    run("vad", "with-server", "dvc", "repro", "evaluate@blobs")
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    run("git", "add", ".")
    run("git", *identity, "commit", "--quiet", "-m", "measured")
    before = (checkout / "params.yaml").read_text()

    changed = ("-S", "methods.conv_ae.demo.training.epochs=4")
    experiment = run("dvc", "exp", "run", "--temp", "-n", "longer", *changed, "data.dvc", "evaluate@blobs")

    assert stages_run(experiment) == ["train@blobs-conv_ae", "evaluate@blobs"]
    assert (checkout / "params.yaml").read_text() == before
    parameters = json.loads(run("dvc", "params", "diff", "HEAD", "longer", "--json"))["params.yaml"]
    assert {name: (one["old"], one["new"]) for name, one in parameters.items()} == {
        "methods.conv_ae.demo.training.epochs": (2, 4)
    }
    metrics = json.loads(run("dvc", "metrics", "diff", "HEAD", "longer", "--all", "--json"))
    assert "conv_ae.auc_per_video" in metrics["metrics/blobs.json"]
    losses = "plots/blobs/training/conv_ae.csv"
    plots = json.loads(run("dvc", "plots", "diff", "HEAD", "longer", "--targets", losses, "--json"))["data"]
    (figure,) = plots[losses]
    points = figure["content"]["data"]["values"]
    assert Counter(point["rev"] for point in points) == {"HEAD": 2, "longer": 4}
