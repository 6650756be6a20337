"""Jobs: fingerprints, what is kept, what is computed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.footage import SIZE, make_store
from tests.vad_models.methods.test_contract import short_settings
from vad_models.devices import Resources
from vad_models.errors import DataError, JobError, SettingsError
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


def test_one_job_a_method_camera_and_seed(tmp_path: Path) -> None:
    made, _ = jobs_of(tmp_path, count=2)
    assert [job.title for job in made] == [
        f"{method}/{camera}/seed{seed}"
        for method in ("conv_ae", "ffp")
        for camera in ("01", "02")
        for seed in (0, 1)
    ]
    assert len({job.fingerprint for job in made}) == len(made)


def test_a_variant_is_a_job_of_its_own(tmp_path: Path) -> None:
    (plain, *_), _ = jobs_of(tmp_path, methods=["ffp_plain"], seeds=[0])
    assert (plain.method, plain.variant, plain.label) == ("ffp", "plain", "ffp_plain")
    assert plain.directory(Path("runs")) == Path("runs/blobs/ffp_plain/01/seed0")


def test_the_fingerprint_follows_everything_that_shapes_the_numbers(tmp_path: Path) -> None:
    (job, *_), _ = jobs_of(tmp_path)
    for change in (
        {"seed": 5},
        {"settings": {}},
        {"data_version": "x"},
        {"code_version": "y"},
        {"holdout": 0.2},
    ):
        assert job.model_copy(update=change).fingerprint != job.fingerprint
    assert Job.model_validate(json.loads(job.model_dump_json())).fingerprint == job.fingerprint


def test_the_fingerprint_of_a_job_stays_what_it_was() -> None:
    """Trained models are found by their fingerprint, so one more field would train all of them again."""
    job = Job(
        dataset="blobs", camera="01", method="ffp", profile="demo", seed=0, settings={"channels": [4, 4]},
        frames="32x48x1", holdout=0.1, data_version="data", code_version="code",
    )  # fmt: skip
    assert job.fingerprint == "eaca48ff85251956"


def test_unknown_names_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no method or variant 'convae': did you mean conv_ae\?"):
        jobs_of(tmp_path, methods=["convae"])
    with pytest.raises(DataError, match="no training video of camera '07': data/blobs has 01"):
        jobs_of(tmp_path, cameras=["07"])
    with pytest.raises(
        SettingsError, match=r"big needs frames of 64x64x1, but datasets.blobs.frames lists 32x48x1"
    ):
        jobs_of(tmp_path, methods=["big"])


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


def test_members_see_frames_of_one_size(tmp_path: Path) -> None:
    both = params(frames=[str(SIZE), "64x64x1"])
    both.methods["fusion"].demo["members"] = {"big": ["prediction"]}  # type: ignore[index]
    store = make_store(tmp_path / "frames")
    with pytest.raises(
        SettingsError, match=r"but ffp_big sees 64x64x1 and fusion 32x48x1: leave one of them out"
    ):
        make_jobs(both, lambda size: store, "blobs", ["fusion"])


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
