"""The comparison of runs reads MLflow, and not the folders of jobs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.project.paths import Paths
from flows.tracking import comparison
from flows.tracking.comparison import compare
from flows.tracking.runs import log_job, running
from flows.tracking.study_runs import StudyGrid, log_grid
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError, SettingsError
from vad_models.jobs.finished import FinishedJob


@pytest.fixture
def logged(paths: Paths, benchmark: list[FinishedJob]) -> pd.DataFrame:
    """The headline AUC of each job of the benchmark, which is in MLflow and nowhere else any more."""
    for finished in benchmark:
        log_job(paths, finished)
    rows = []
    for finished in benchmark:
        entry = finished.measured(finished.headline, finished.normalisation)
        papers = finished.measured(finished.headline, "per_video")
        assert entry is not None and papers is not None
        rows.append({**finished.names, "auc": entry["auc_micro"], "papers": papers["auc_micro"]})
    shutil.rmtree(paths.runs)
    return pd.DataFrame(rows)


def test_mean_number_and_spread_of_each_group(paths: Paths, logged: pd.DataFrame) -> None:
    compared = compare(paths, "toy", ["method", "camera"])

    table = compared.table.set_index(["method", "camera"])
    assert len(table) == 4
    for group, rows in logged.groupby(["method", "camera"]):
        row, values = table.loc[group], rows["auc"]
        assert row["papers"] == pytest.approx(rows["papers"].mean())
        assert row["n"] == 2
        assert row["mean"] == pytest.approx(values.mean())
        assert row["spread"] == pytest.approx(values.std(ddof=1))
        assert (row["low"], row["high"]) == (pytest.approx(values.min()), pytest.approx(values.max()))
    assert (compared.runs, compared.older, compared.without) == (8, 0, 0)


def test_the_best_comes_first_and_of_one_run_there_is_no_spread(paths: Paths, logged: pd.DataFrame) -> None:
    assert list(compare(paths, "toy", ["method"]).table["method"]) == ["ffp", "conv_ae"]
    by_camera = compare(paths, "toy", ["camera", "method"]).table
    assert by_camera[["camera", "method"]].to_numpy().tolist() == [
        ["01", "ffp"],
        ["01", "conv_ae"],
        ["02", "ffp"],
        ["02", "conv_ae"],
    ]
    assert list(compare(paths, "toy", ["method"], "eer/reconstruction/none").table["method"]) == [
        "ffp",
        "conv_ae",
    ]
    assert "papers" not in compare(paths, "toy", ["method"], "eer").table
    single = compare(paths, "toy", ["method", "camera", "seed"]).table
    assert set(single["n"]) == {1}
    assert single["spread"].isna().all()


def test_of_a_job_that_was_trained_again_the_newest_run_counts(paths: Paths, make_job: MakeJob) -> None:
    log_job(paths, make_job(quality=0.1))
    newest = make_job(quality=3.0, data_version="d1" * 32)
    log_job(paths, newest)
    entry = newest.measured(newest.headline, newest.normalisation)
    assert entry is not None

    compared = compare(paths, "toy", ["method"])
    assert compared.table["mean"].tolist() == [pytest.approx(entry["auc_micro"])]
    assert (compared.runs, compared.older) == (1, 1)
    assert len(compare(paths, "toy", ["method", "frames_version"]).table) == 2


def test_only_finished_jobs_count_and_no_cells_of_studies(
    paths: Paths, make_job: MakeJob, tmp_path: Path
) -> None:
    log_job(paths, make_job())
    with pytest.raises(ValueError), running(paths, make_job("ffp").job):
        raise ValueError
    cell = {"dataset": "toy", "camera": "01", "method": "ffp", "variant": "default", "seed": "0"}
    cell |= {"profile": "demo", "severity": 1, "signal": "x", "normalisation": "per_video", "headline": True}
    table = pd.DataFrame([{**cell, "auc_micro": 0.5, "fingerprint": "f"}])
    log_grid(paths, StudyGrid("robustness", "toy", table, ("severity",)), [])
    assert list(compare(paths, "toy", ["method"]).table["method"]) == ["conv_ae"]


def test_runs_without_the_metric_are_counted_apart(paths: Paths, make_job: MakeJob) -> None:
    log_job(paths, make_job(camera="01"))
    log_job(paths, make_job(camera="02", labelled=False))
    compared = compare(paths, "toy", ["camera"])
    assert list(compared.table["camera"]) == ["01"]
    assert (compared.runs, compared.without) == (1, 1)


def test_more_runs_than_a_page_holds_are_all_read(
    paths: Paths, logged: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_PAGE", 3)
    assert compare(paths, "toy", ["method"]).runs == 8


@pytest.mark.parametrize(
    ("by", "metric", "said"),
    [
        (["methods"], "auc", "cannot be grouped by 'methods'; allowed are method, variant, camera"),
        (["seed", "seed"], "auc", "'seed' is named twice"),
        ([], "auc", "there is no key to group jobs by: name one or more of method"),
        (["method"], "roc", "no run of toy has a metric 'roc'; there are auc, .*auc_papers, .*fps_score"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is_allowed(
    paths: Paths, make_job: MakeJob, by: list[str], metric: str, said: str
) -> None:
    log_job(paths, make_job())
    with pytest.raises(SettingsError, match=said):
        compare(paths, "toy", by, metric)


def test_without_runs_it_says_how_to_train(paths: Paths) -> None:
    with pytest.raises(
        JobError, match="holds no finished run of nothing: train with `vad benchmark --dataset"
    ):
        compare(paths, "nothing", ["method"])
