"""`dvc repro` in a checkout: on a clone without data, from footage to report, and when there is nothing to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from flows.project.datasets import track_dataset
from tests.conftest import CONV_AE, PARAMS, write_settings

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
    write_settings(project_root, PARAMS + GRID)
    for file in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / file, project_root / file)
    (project_root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", project_root / ".dvc/config")
    run("git", "init", "--quiet")
    track_dataset(project_root, "blobs")
    run("dvc", "commit", "--quiet", "--force", "data.dvc")
    return project_root


def run(*command: str) -> str:
    """Run a command that must succeed, and return its output."""
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


STUB = """#!/bin/sh
# Settings are written in earnest; every other stage leaves what it declares.
case $1 in
  settings) exec python -m flows.cli "$@" ;;
  ingest) out=ingest/$2.json ;;
  data) mkdir -p validation/$3; touch validation/$3/report.json; out=validation/$3/manifest.parquet ;;
  derive) out=frames/$2/done ;;
  train) out=runs/$3/$5/done ;;
esac
mkdir -p $(dirname $out)
echo "$*" > $out
"""


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_a_change_in_a_methods_file_trains_it_its_variants_and_what_combines_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "bin").mkdir()
    (checkout / "bin/vad").write_text(STUB)
    (checkout / "bin/vad").chmod(0o755)
    monkeypatch.setenv("PATH", f"{checkout / 'bin'}:{os.environ['PATH']}")
    write_settings(
        checkout,
        PARAMS.replace("[conv_ae]", "[conv_ae, conv_ae_wide, frame_difference, fusion]"),
        conv_ae=f"{CONV_AE}variants:\n  wide: {{changes: {{channels: [8, 8]}}}}\n",
        frame_difference="demo: {}\n",
        fusion="demo: {members: {conv_ae_wide: [reconstruction]}}\n",
    )
    (checkout / "footage").symlink_to("data")

    def trained(old: str = "", new: str = "", method: str = "conv_ae") -> set[str]:
        file = checkout / f"params/methods/{method}.yaml"
        file.write_text(file.read_text().replace(old, new) if old else file.read_text())
        run_now = stages_run(run("dvc", "repro", "train"))
        return {one.removeprefix("train@blobs-") for one in run_now if one.startswith("train@")}

    assert trained() == {"conv_ae", "conv_ae_wide", "frame_difference", "fusion"}
    assert trained() == set()
    assert trained("epochs: 2", "epochs: 3") == {"conv_ae", "conv_ae_wide", "fusion"}
    assert trained("[8, 8]", "[8, 4]") == {"conv_ae_wide", "fusion"}
    assert trained("demo: {}", "demo: {frames: 32x48x1}", "frame_difference") == {"frame_difference"}
    assert trained("demo:", "cpu: {}\ndemo:") == set()


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_repro_does_everything_once_and_only_what_changed(checkout: Path) -> None:
    first = run("vad", "with-server", "dvc", "repro")
    assert stages_run(first) == [
        f"{stage}@blobs{'-conv_ae' if stage == 'train' else ''}"
        for stage in ("ingest", "validate", "derive", "settings", "train", "evaluate", "report", "robustness")
    ]
    assert (checkout / "results/robustness_blobs.csv").exists()
    metrics = json.loads(run("dvc", "metrics", "show", "--json"))
    assert "conv_ae" in metrics[""]["data"]["metrics/blobs.json"]["data"]

    started = time.perf_counter()
    second = run("dvc", "repro")
    seconds = time.perf_counter() - started
    assert stages_run(second) == []
    assert seconds < 10

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
    method = checkout / "params/methods/conv_ae.yaml"
    before = method.read_text()

    changed = ("-S", "params/methods/conv_ae.yaml:demo.training.epochs=4")
    experiment = run("dvc", "exp", "run", "--temp", "-n", "longer", *changed, "data.dvc", "evaluate@blobs")

    assert stages_run(experiment) == ["settings@blobs", "train@blobs-conv_ae", "evaluate@blobs"]
    assert method.read_text() == before
    files = json.loads(run("dvc", "params", "diff", "HEAD", "longer", "--json"))
    assert files == {"params/methods/conv_ae.yaml": {"demo.training.epochs": {"old": 2, "new": 4, "diff": 2}}}
    metrics = json.loads(run("dvc", "metrics", "diff", "HEAD", "longer", "--all", "--json"))
    assert "conv_ae.auc" in metrics["metrics/blobs.json"]
    losses = "plots/blobs/training/conv_ae.csv"
    plots = json.loads(run("dvc", "plots", "diff", "HEAD", "longer", "--targets", losses, "--json"))["data"]
    (figure,) = plots[losses]
    points = figure["content"]["data"]["values"]
    assert Counter(point["rev"] for point in points) == {"HEAD": 2, "longer": 4}
