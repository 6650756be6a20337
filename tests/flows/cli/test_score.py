"""`vad score`: a video, by the model of a job or by a camera's champion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.project.paths import Paths
from flows.registry.choice import choose
from flows.registry.versions import challenge
from tests.flows.made_up import SIZE, MakeJob
from vad_models.errors import DataError, JobError
from vad_models.evaluation.normalisation import normalise
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.export import load_method
from vad_models.scoring import score_video

VIDEO = np.random.default_rng(0).integers(0, 256, (9, *SIZE), dtype=np.uint8)


@pytest.fixture
def finished(project_root: Path, make_job: MakeJob) -> FinishedJob:
    """A finished job in the working directory, and `video.npy` next to it."""
    np.save("video.npy", VIDEO)
    return make_job()


def vad(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, ["score", *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


def test_the_model_of_a_job_scores_in_deviations_above_normal(finished: FinishedJob) -> None:
    said = vad("video.npy", "--model", str(finished.directory), "--out", "deep/scores.parquet")

    scores = pd.read_parquet("deep/scores.parquet")
    raw = score_video(load_method(finished.directory), VIDEO).signals["reconstruction"]
    np.testing.assert_allclose(scores["reconstruction"], raw)
    held = finished.scores[finished.scores["split"] == "holdout"]
    new = pd.DataFrame({"camera": "01", "split": "test", "video": "v", "reconstruction": raw})
    expected = normalise(pd.concat([held, new], ignore_index=True), "reconstruction", "training")
    np.testing.assert_allclose(scores["score"], expected, rtol=1e-5)
    above = int((scores["score"] > finished.metrics["threshold"]["value"]).sum())
    worst = scores.loc[scores["score"].idxmax()]
    assert f"deep/scores.parquet: {len(raw)} frames scored, {above} above the threshold" in said
    assert f"the highest is frame {int(worst['frame'])}, {worst['score']:.1f} deviations" in said


def test_a_champion_scores_as_the_job_that_it_was(finished: FinishedJob, paths: Paths) -> None:
    challenge(paths, choose([finished], ["conv_ae"]), "flow test")
    said = vad("video.npy", "-d", "toy", "-c", "01")
    vad("video.npy", "--model", str(finished.directory), "--out", "by_job.parquet")
    assert said.startswith("toy-camera-01 version 1: conv_ae")
    pd.testing.assert_frame_equal(pd.read_parquet("scores.parquet"), pd.read_parquet("by_job.parquet"))


@pytest.mark.parametrize(
    "options", [[], ["-d", "toy"], ["-c", "01"], ["-d", "toy", "-c", "01", "--model", "runs"]]
)
def test_either_a_champion_or_a_model_is_named(project_root: Path, options: list[str]) -> None:
    outcome = CliRunner().invoke(app, ["score", "video.npy", *options], env={"COLUMNS": "200"})
    assert outcome.exit_code == 2
    assert "give --dataset and --camera for a champion, or --model" in outcome.output


def test_nothing_is_written_where_nothing_can_be_scored(finished: FinishedJob) -> None:
    np.save("short.npy", VIDEO[:2])
    for arguments, kind, sentence in (
        (["short.npy", "--model", str(finished.directory)], DataError, "give it a longer video"),
        (["video.npy", "--dataset", "toy", "--camera", "09"], JobError, "camera 09 of toy has no champion"),
    ):
        outcome = CliRunner().invoke(app, ["score", *arguments])
        assert isinstance(outcome.exception, kind) and sentence in str(outcome.exception)
    assert not Path("scores.parquet").exists()
