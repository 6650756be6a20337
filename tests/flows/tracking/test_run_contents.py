"""Contents of a job's run: names, settings and numbers in the form that MLflow needs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from flows.project.paths import Paths
from flows.tracking.run_contents import (
    dataset_inputs,
    epoch_metrics,
    evaluation_of,
    final_metrics,
    params_of,
    tags_of,
    tags_when_finished,
)
from flows.tracking.runs import connect, log_job
from tests.flows.made_up import EVALUATION, MakeJob, edit_metrics


def test_losses_are_logged_by_epoch_and_gaps_are_left_out(paths: Paths, make_job: MakeJob) -> None:
    run = log_job(paths, make_job())
    history = connect(paths).get_metric_history(run, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.2), (2, 0.1)]
    assert len(connect(paths).get_metric_history(run, "holdout_loss")) == 1


def test_the_dataset_is_an_input_with_its_counts(paths: Paths, make_job: MakeJob) -> None:
    make_job(camera="02")
    inputs = connect(paths).get_run(log_job(paths, make_job(camera="01"))).inputs.dataset_inputs
    profiles = {one.dataset.name: one.dataset.profile for one in inputs}
    assert profiles["toy/01/train"] == '{"videos": 3, "frames": 120, "abnormal_frames": 0}'
    assert profiles["toy/01/test"] == '{"videos": 4, "frames": 160, "abnormal_frames": 45}'


def test_tags_before_training_name_the_job_and_its_versions(make_job: MakeJob) -> None:
    job = make_job("ffp", "02", seed=3).job
    assert tags_of(job) == {
        "dataset": "toy", "camera": "02", "method": "ffp", "variant": "default", "seed": "3", "profile": "demo",
        "frames_version": job.data_version, "code_version": "c0ffee", "fingerprint": job.fingerprint,
        "mlflow.source.name": "vad",
    }  # fmt: skip


def test_a_finished_job_adds_its_headline_and_where_its_numbers_come_from(make_job: MakeJob) -> None:
    finished = make_job()
    finished.files.provenance.write_text(json.dumps({"git_commit": "abc", "data_version": "def"}))
    assert tags_when_finished(finished) == {
        "headline": "reconstruction", "git_commit": "abc", "data_version": "def", "mlflow.source.git.commit": "abc",
    }  # fmt: skip


def test_settings_are_flat_text(make_job: MakeJob) -> None:
    params = params_of(make_job(deep={"a": {"b": None}, "c": [1, 2]}, seed=4).job)
    assert params["training.epochs"] == "2" and params["training.learning_rate"] == "0.001"
    assert params["channels"] == "[4, 4]" and params["deep.a.b"] == "None" and params["deep.c"] == "[1, 2]"
    assert (params["frames"], params["holdout"], params["seed"]) == ("16x24x1", "0.1", "4")
    assert set(map(type, params.values())) == {str}


def test_equal_evaluation_settings_have_equal_text(make_job: MakeJob) -> None:
    finished = make_job()
    turned = dict(reversed(finished.metrics["evaluation"].items()))
    assert evaluation_of(edit_metrics(finished, evaluation=turned)) == evaluation_of(finished)
    assert json.loads(evaluation_of(finished)) == EVALUATION.model_dump(mode="json")
    other = edit_metrics(finished, evaluation={**turned, "bootstrap": 51})
    assert evaluation_of(other) != evaluation_of(finished)


def test_short_names_are_the_headline_as_deployed_and_the_papers_auc(make_job: MakeJob) -> None:
    finished = make_job(signals=("reconstruction", "latent"))
    numbers = final_metrics(finished)
    deployed, papers = (finished.measured("reconstruction", how) for how in ("training", "per_video"))
    assert deployed is not None and papers is not None
    assert numbers["auc"] == deployed["auc_micro"] and numbers["auc_papers"] == papers["auc_micro"]
    for name in ("eer", "average_precision", "auc_low", "auc_high", "auc_macro", "frames_scored"):
        assert numbers[name] == deployed[name] == numbers[f"{name}/reconstruction/training"]
    assert numbers["train_minutes"] == 0.5 and numbers["params_m"] == 0.25
    assert "auc_micro/latent/none" in numbers and "auc_micro" not in numbers
    assert {type(value) for value in numbers.values()} == {float}


def test_numbers_that_there_are_not_are_left_out(make_job: MakeJob) -> None:
    finished = make_job(labelled=False, label_free_auc=0.75)
    assert final_metrics(finished) == {
        "train_minutes": 0.5, "params_m": 0.25, "gflop_per_frame": 0.125, "fps_train": 900.0, "fps_score": 321.0,
        "label_free_auc": 0.75,
    }  # fmt: skip
    broken = edit_metrics(finished, fps_train=None, fps_score=float("inf"), params_m=float("nan"))
    assert set(final_metrics(broken)) == {"train_minutes", "gflop_per_frame", "label_free_auc"}


def test_epochs_are_counted_over_all_phases() -> None:
    history = pd.DataFrame(
        {
            "phase": ["a", "a", "b"],
            "epoch": [0, 1, 0],
            "loss": [3.0, 2.0, np.inf],
            "latent": [np.nan, np.nan, 0.5],
        }
    )
    assert list(epoch_metrics(history)) == [(1, "loss", 3.0), (2, "loss", 2.0), (3, "latent", 0.5)]
    assert list(epoch_metrics(pd.DataFrame(columns=["phase", "epoch"]))) == []


def test_datasets_are_those_of_the_camera_or_of_all(paths: Paths, make_job: MakeJob) -> None:
    for camera in ("01", "02"):
        make_job(camera=camera)
    one = make_job(camera="02").job
    named = {one.dataset.name: one for one in dataset_inputs(paths, one)}
    assert set(named) == {"toy/02/train", "toy/02/test"}
    test = named["toy/02/test"]
    assert test.dataset.digest == one.data_version[:36]
    assert json.loads(test.dataset.source) == {"uri": "frames/toy/16x24x1/manifest.parquet"}
    assert json.loads(test.dataset.schema) == {"frame": "uint8 16x24x1", "label": "bool"}
    assert [(tag.key, tag.value) for tag in test.tags] == [("mlflow.data.context", "test")]
    every = dataset_inputs(paths, one.model_copy(update={"camera": "all"}))
    counts = {entry.dataset.name: json.loads(entry.dataset.profile) for entry in every}
    assert counts["toy/all/train"] == {"videos": 6, "frames": 240, "abnormal_frames": 0}
    assert counts["toy/all/test"] == {"videos": 8, "frames": 320, "abnormal_frames": pytest.approx(90)}
