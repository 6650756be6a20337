"""What a job leaves, what is kept, and what is computed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.footage import SIZE, make_store
from tests.vad_models.methods.test_contract import short_settings
from vad_models.devices import Resources
from vad_models.errors import JobError
from vad_models.jobs import run as jobs
from vad_models.jobs.directory import JobDirectory
from vad_models.jobs.job import Job
from vad_models.jobs.matrix import make_jobs
from vad_models.jobs.run import run_job
from vad_models.scoring import read_scores
from vad_models.settings import EvaluationSettings, Params, validated

EVALUATION = EvaluationSettings(bootstrap=20)


def params(**dataset: Any) -> Params:
    values = {
        "benchmark": {"datasets": ["blobs"], "methods": ["conv_ae", "ffp"]},
        "datasets": {
            "default": {"profile": "demo", "seeds": [0, 1], "frames": [str(SIZE)], "holdout": 0.3, **dataset}
        },
        "methods": {
            "conv_ae": {"method": "conv_ae", "demo": short_settings("conv_ae")},
            "ffp": {"method": "ffp", "demo": short_settings("ffp")},
            "ffp_plain": {"method": "ffp", "demo": short_settings("ffp") | {"gradient": 0.0}},
            "fusion": {
                "method": "fusion",
                "demo": {"members": {"ffp": ["prediction"], "conv_ae": ["reconstruction"]}},
            },
            "big": {"method": "ffp", "demo": short_settings("ffp") | {"frames": "64x64x1"}},
        },
    }
    return validated(Params, values)


def jobs_of(tmp_path: Path, count: int = 1, **wanted: Any) -> tuple[list[Job], Any]:
    store = make_store(tmp_path / "frames", count)
    return make_jobs(params(), lambda size: store, "blobs", **wanted), store


def test_a_job_that_combines_others_comes_after_them_and_follows_them(tmp_path: Path) -> None:
    made, store = jobs_of(tmp_path, methods=["fusion"], seeds=[0])
    assert [job.label for job in made] == ["ffp", "conv_ae", "fusion"]
    *members, fusion = made
    assert fusion.members == {job.label: job.fingerprint for job in members}

    runs = tmp_path / "runs"
    with pytest.raises(
        JobError, match=r"fusion/01/seed0 combines ffp/01/seed0, which is not trained .* --method ffp"
    ):
        run_job(fusion, store, fusion.directory(runs), EVALUATION, Resources(threads=1, device="cpu"))
    for job in made:
        metrics = run_job(job, store, job.directory(runs), EVALUATION, Resources(threads=1, device="cpu"))
    assert metrics["headline"] == "mean_surprise"
    held = read_scores(fusion.directory(runs) / "scores.parquet").query("split == 'holdout'")
    # Surprise of held-out video is -log of a uniform variable, mean 1, in each member.
    assert held["mean_surprise"].mean() == pytest.approx(1.0, abs=0.35)


def test_a_job_ends_with_a_model_scores_history_and_metrics(tmp_path: Path) -> None:
    (job, *_), store = jobs_of(tmp_path)
    folder = job.directory(tmp_path / "runs")
    metrics = run_job(job, store, folder, EVALUATION, Resources(threads=1, device="cpu"))
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.csv", "job.json", "metrics.json", "model.json", "model.safetensors", "scores.parquet", "training.json",
    ]  # fmt: skip
    assert metrics == json.loads((folder / "metrics.json").read_text())
    assert {row["normalisation"] for row in metrics["metrics"]} == {
        "none",
        "per_video",
        "sliding",
        "training",
        "causal",
    }
    scores = read_scores(folder / "scores.parquet")
    assert set(scores["split"]) == {"holdout", "test"}
    assert set(scores.loc[scores["split"] == "holdout", "video"]) == {"c"} == set(metrics["holdout_videos"])
    test = scores[(scores["split"] == "test") & (scores["video"] == "d")]
    assert test["label"].tolist() == [frame >= 20 for frame in test["frame"]]
    assert metrics["gflop_per_frame"] > 0 and metrics["params_m"] > 0


def test_the_same_fingerprint_is_not_trained_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job, *_), store = jobs_of(tmp_path)
    folder = job.directory(tmp_path / "runs")
    first = run_job(job, store, folder, EVALUATION, Resources(device="cpu"))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(jobs, "train", never)
    assert run_job(job, store, folder, EVALUATION) == first
    other = EvaluationSettings(bootstrap=10)
    assert JobDirectory(folder).finished_metrics(job, other) is None
    assert run_job(job, store, folder, other)["evaluation"]["bootstrap"] == 10
    with pytest.raises(AssertionError, match="trained again"):
        run_job(job.model_copy(update={"seed": 9}), store, folder, EVALUATION)


def test_one_model_for_all_cameras_holds_out_video_of_each(tmp_path: Path) -> None:
    store = make_store(tmp_path / "frames", cameras=2)
    (job, *_) = make_jobs(params(cameras="all"), lambda size: store, "blobs", methods=["conv_ae"])
    assert job.camera == "all"
    folder = job.directory(tmp_path / "runs")
    run_job(job, store, folder, EVALUATION, Resources(device="cpu"))
    scores = read_scores(folder / "scores.parquet")
    assert set(scores.loc[scores["split"] == "holdout", "camera"]) == {"01", "02"}
