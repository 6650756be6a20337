"""The result table: every measured number once, what is pooled from them, and the controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.project.paths import Paths
from flows.results.tables import (
    COLUMNS,
    build_results,
    read_results,
    write_results,
)
from tests.flows.made_up import MakeJob
from vad_models.errors import DataError
from vad_models.evaluation.metrics import measure, seed_interval
from vad_models.evaluation.normalisation import NORMALISATIONS
from vad_models.jobs.finished import FinishedJob, finished_jobs


def pick(results: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for name, value in wanted.items():
        results = results[results[name] == value]
    return results


def test_the_columns_are_those_of_the_architecture(benchmark: list[FinishedJob]) -> None:
    assert ",".join(COLUMNS) == (
        "dataset,camera,method,variant,seed,profile,signal,headline,normalisation,labels,frames_scored,auc_micro,"
        "auc_low,auc_high,auc_macro,eer,average_precision,train_minutes,params_m,gflop_per_frame,fps_train,fps_score,"
        "fingerprint,git_commit,command"
    )
    assert list(build_results(benchmark).columns) == list(COLUMNS)


def test_a_row_repeats_what_the_job_measured(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    row = pick(results, camera="01", method="ffp", seed="1", normalisation="none").iloc[0]
    finished = next(
        one for one in benchmark if (one.job.camera, one.job.method, one.job.seed) == ("01", "ffp", 1)
    )
    entry = finished.measured("reconstruction", "none")
    assert entry is not None
    assert row["auc_micro"] == round(entry["auc_micro"], 4)
    assert row["frames_scored"] == entry["frames_scored"]
    assert row["fingerprint"] == finished.job.fingerprint
    assert row["train_minutes"] == 0.5


def test_camera_all_pools_the_test_frames_of_per_camera_models(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    row = pick(results, camera="all", method="ffp", seed="0", normalisation="per_video").iloc[0]
    jobs = [one for one in benchmark if (one.job.method, one.job.seed) == ("ffp", 0)]
    pooled = pd.concat([one.scores for one in jobs])
    expected = measure(pooled, ["reconstruction"], ["per_video"], "official", jobs[0].evaluation)[0]
    assert row["auc_micro"] == round(expected["auc_micro"], 4)
    assert row["frames_scored"] == 2 * 4 * 36
    assert row["train_minutes"] == 1.0


def test_seed_all_is_the_mean_with_student_t(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    rows = pick(results, camera="01", method="conv_ae", normalisation="per_video").set_index("seed")
    mean, low, high = seed_interval([rows.at["0", "auc_micro"], rows.at["1", "auc_micro"]], 0.95)
    assert rows.at["all", "auc_micro"] == pytest.approx(mean, abs=1e-4)
    assert rows.at["all", "auc_low"] == pytest.approx(max(0.0, low), abs=1e-3)
    assert rows.at["all", "auc_high"] == pytest.approx(min(1.0, high), abs=1e-3)


def test_each_row_names_the_command_that_makes_it(benchmark: list[FinishedJob]) -> None:
    of_ffp = pick(build_results(benchmark), method="ffp", normalisation="none").set_index(["camera", "seed"])
    train = "vad train --dataset toy --method ffp"
    assert of_ffp.at[("01", "1"), "command"] == f"{train} --camera 01 --seed 1"
    assert of_ffp.at[("all", "1"), "command"] == f"{train} --seed 1"
    assert of_ffp.at[("all", "all"), "command"] == train


def test_one_seed_keeps_its_bootstrap_interval(make_job: MakeJob) -> None:
    rows = pick(build_results([make_job()]), method="conv_ae", normalisation="none").set_index("seed")
    assert rows.at["all", "auc_low"] == rows.at["0", "auc_low"] > 0


def test_controls_stand_beside_the_methods(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    for camera in ("01", "02", "all"):
        random = pick(results, camera=camera, method="random").iloc[0]
        prior = pick(results, camera=camera, method="video_prior").iloc[0]
        assert 0.3 < random["auc_micro"] < 0.7
        assert prior["auc_micro"] > 0.6
        assert np.isnan(random["train_minutes"])


def test_a_camera_without_labels_has_one_row_without_rates(make_job: MakeJob) -> None:
    results = build_results([make_job(camera="01"), make_job(camera="13", labelled=False)])
    rows = pick(results, camera="13", seed="0")
    assert len(rows) == 1
    assert np.isnan(rows.iloc[0]["auc_micro"])
    assert rows.iloc[0]["labels"] == "none"
    assert rows.iloc[0]["train_minutes"] == 0.5
    assert not len(pick(results, camera="all"))


def test_signals_and_normalisations_are_all_there_headline_first(make_job: MakeJob) -> None:
    results = build_results([make_job("decoupled", signals=("latent", "prediction"))])
    rows = pick(results, method="decoupled", seed="0")
    assert list(rows["signal"]) == ["latent"] * 5 + ["prediction"] * 5
    assert list(rows["normalisation"]) == [*NORMALISATIONS, *NORMALISATIONS]
    assert list(rows["headline"]) == [True] * 5 + [False] * 5


def test_one_model_for_all_cameras_is_also_told_apart_by_camera(
    benchmark: list[FinishedJob], make_job: MakeJob
) -> None:
    together = make_job("ffp", "all", scores_of=["01", "02"])
    results = build_results([together])
    assert {"01", "02", "all"} == set(results["camera"])
    assert set(pick(results, seed="0")["fingerprint"]) == {together.job.fingerprint}


def test_a_run_that_computes_nothing_new_changes_no_byte(
    paths: Paths, benchmark: list[FinishedJob], tmp_path: Path
) -> None:
    write_results(build_results(benchmark), tmp_path / "one.csv")
    write_results(build_results(finished_jobs(paths.runs, "toy")), tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    again = read_results(tmp_path / "one.csv")
    write_results(again, tmp_path / "three.csv")
    assert (tmp_path / "three.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert set(again["camera"]) == {"01", "02", "all"}
    assert set(again["seed"]) == {"0", "1", "all"}


def test_nothing_finished_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `vad benchmark` first"):
        build_results([])
    with pytest.raises(DataError, match="run `vad benchmark --dataset toy`"):
        read_results(tmp_path / "toy.csv")
