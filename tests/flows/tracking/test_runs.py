"""MLflow runs hold everything once, even if processes die on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from flows.execution.slots import end_with_parent
from flows.project.paths import Paths
from flows.tracking.runs import (
    _log_inputs,
    _open,
    connect,
    fill_run,
    find_finished,
    log_job,
    prepare_tracking,
    running,
    tracking_uri,
)
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError
from vad_models.jobs.finished import read_finished
from vad_models.jobs.job import Job
from vad_models.settings import EvaluationSettings


def runs(paths: Paths, dataset: str = "toy") -> list:
    return list(connect(paths).search_runs([prepare_tracking(paths, dataset)]))


def test_a_run_holds_everything_of_its_job(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job("ffp", "02", seed=3)
    (finished.directory / "figures").mkdir()
    (finished.directory / "figures" / "roc.png").write_bytes(b"png")
    run = connect(paths).get_run(log_job(paths, finished))

    assert run.info.run_name == "ffp/02/seed3"
    assert run.info.status == "FINISHED"
    tags = {
        name: run.data.tags[name] for name in ("dataset", "camera", "method", "variant", "seed", "profile")
    }
    assert tags == {
        "dataset": "toy",
        "camera": "02",
        "method": "ffp",
        "variant": "default",
        "seed": "3",
        "profile": "demo",
    }
    assert run.data.tags["fingerprint"] == finished.job.fingerprint
    assert {"data_version", "frames_version", "git_commit", "code_version"} <= set(run.data.tags)
    assert run.data.params["training.epochs"] == "2"
    for name, how in (("auc", "training"), ("auc_papers", "per_video")):
        entry = finished.measured("reconstruction", how)
        assert entry is not None
        assert run.data.metrics[name] == pytest.approx(entry["auc_micro"])
        assert run.data.metrics[f"auc_micro/reconstruction/{how}"] == run.data.metrics[name]
    assert run.data.metrics["eer"] == run.data.metrics["eer/reconstruction/training"]
    assert "auc_micro" not in run.data.metrics
    assert "eer/reconstruction/none" in run.data.metrics
    assert run.data.metrics["fps_score"] == 321.0


def test_files_and_figures_are_artifacts(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    (finished.directory / "figures").mkdir()
    (finished.directory / "figures" / "roc.png").write_bytes(b"png")
    run = log_job(paths, finished)
    client = connect(paths)
    listed = {one.path for one in client.list_artifacts(run)}
    assert {"metrics.json", "history.csv", "job.json", "figures"} <= listed
    assert [one.path for one in client.list_artifacts(run, "figures")] == ["figures/roc.png"]
    assert (paths.tracking / "artifacts" / "toy" / run).exists()


def test_the_same_fingerprint_is_never_logged_twice(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    assert find_finished(paths, "toy", finished.job.fingerprint) is None
    first = log_job(paths, finished)
    assert log_job(paths, finished) == first
    assert find_finished(paths, "toy", finished.job.fingerprint) == first
    assert len(runs(paths)) == 1


def test_new_evaluation_settings_renew_the_numbers_of_the_same_run(paths: Paths, make_job: MakeJob) -> None:
    first = log_job(paths, make_job())
    measured_again = make_job(evaluation=EvaluationSettings(bootstrap=50, normalisation="causal"))
    assert log_job(paths, measured_again) == first
    metrics = connect(paths).get_run(first).data.metrics
    assert metrics["auc"] == metrics["auc_micro/reconstruction/causal"]
    assert len(connect(paths).get_metric_history(first, "loss")) == 2


def statuses(paths: Paths) -> list[str]:
    return [run.info.status for run in runs(paths)]


def test_a_job_in_training_is_shown_with_its_settings(paths: Paths, make_job: MakeJob) -> None:
    job = make_job("ffp", "02", seed=3).job
    with running(paths, job):
        (run,) = runs(paths)
        assert (run.info.run_name, run.info.status) == ("ffp/02/seed3", "RUNNING")
        assert run.data.tags["fingerprint"] == job.fingerprint
        assert run.data.tags["camera"] == "02"
        assert run.data.params["training.epochs"] == "2"


@pytest.mark.parametrize(
    ("raised", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED")]
)
def test_a_run_that_was_cut_short_says_how_and_is_resumed(
    paths: Paths, make_job: MakeJob, raised: type[BaseException], status: str
) -> None:
    finished = make_job()
    with pytest.raises(raised), running(paths, finished.job) as begun:
        raise raised
    assert statuses(paths) == [status]

    with running(paths, finished.job) as resumed:
        assert statuses(paths) == ["RUNNING"]
        assert log_job(paths, finished) == resumed.info.run_id == begun.info.run_id
        assert statuses(paths) == ["FINISHED"]
    assert statuses(paths) == ["FINISHED"]


def test_the_run_that_is_open_is_filled_and_not_opened_again(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = make_job()
    with running(paths, finished.job) as run:
        monkeypatch.setattr(MlflowClient, "search_runs", None)
        monkeypatch.setattr(MlflowClient, "update_run", None)
        assert fill_run(paths, run, finished) == run.info.run_id
    monkeypatch.undo()
    assert statuses(paths) == ["FINISHED"]
    assert {"metrics.json", "scores.parquet"} <= {
        one.path for one in connect(paths).list_artifacts(run.info.run_id)
    }


def test_a_run_whose_process_was_killed_outright_is_taken_over(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    left = _open(connect(paths), prepare_tracking(paths, "toy"), finished.job)
    assert statuses(paths) == ["RUNNING"]
    assert log_job(paths, finished) == left.info.run_id
    assert statuses(paths) == ["FINISHED"]


def test_a_process_that_is_told_to_end_marks_its_run_killed(paths: Paths, make_job: MakeJob) -> None:
    job = make_job().job
    trains = multiprocessing.get_context("spawn").Process(target=train_until_told, args=(paths.root, job))
    trains.start()
    trains.join(60)
    assert trains.exitcode == 128 + signal.SIGTERM
    assert statuses(paths) == ["KILLED"]


def train_until_told(root: Path, job: Job) -> None:
    end_with_parent()
    with running(Paths(root), job):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)


def test_a_run_that_another_machine_has_finished_meanwhile_stays_finished(
    paths: Paths, make_job: MakeJob
) -> None:
    finished = make_job()
    with pytest.raises(ValueError), running(paths, finished.job):
        log_job(paths, finished)
        raise ValueError
    assert statuses(paths) == ["FINISHED"]


def test_of_two_runs_of_the_same_job_one_is_kept(paths: Paths, make_job: MakeJob) -> None:
    """Two machines that do not share the project's folder have begun it at the same moment."""
    finished = make_job()
    experiment = prepare_tracking(paths, "toy")
    tags = {"fingerprint": finished.job.fingerprint}
    first, _ = (connect(paths).create_run(experiment, start_time=start, tags=tags) for start in (1, 2))
    assert log_job(paths, finished) == first.info.run_id
    assert [run.info.run_id for run in runs(paths)] == [first.info.run_id]

    connect(paths).create_run(experiment, start_time=0, tags=tags)
    assert log_job(paths, finished) == first.info.run_id
    assert [run.info.run_id for run in runs(paths)] == [first.info.run_id]


def test_what_was_logged_half_way_is_not_logged_twice(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = make_job()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("flows.tracking.runs._log_measurement", die)
        with pytest.raises(KeyboardInterrupt):
            log_job(paths, finished)
    assert statuses(paths) == ["KILLED"]

    run = log_job(paths, finished)
    assert [(one.info.run_id, one.info.status) for one in runs(paths)] == [(run, "FINISHED")]
    assert len(connect(paths).get_metric_history(run, "loss")) == 2
    assert len(connect(paths).get_run(run).inputs.dataset_inputs) == 2


def test_a_server_that_does_not_answer_is_one_sentence(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    with pytest.raises(
        JobError, match=f"the MLflow server at http://127.0.0.1:{port} does not answer: start it"
    ):
        log_job(paths, make_job())
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("said", "tries"), [("UNIQUE constraint failed: datasets.digest", 3), ("no such run", 1)]
)
def test_a_dataset_that_another_process_has_just_logged_is_tried_again(said: str, tries: int) -> None:
    class Client:
        calls = 0

        def log_inputs(self, run_id: str, datasets: list[object]) -> None:
            self.calls += 1
            if self.calls < 3:
                raise MlflowException(said)

    client = Client()
    with nullcontext() if tries == 3 else pytest.raises(MlflowException, match=said):
        _log_inputs(client, "run", [])  # type: ignore[arg-type]
    assert client.calls == tries


def log_directories(root: Path, directories: list[Path]) -> None:
    for directory in directories:
        log_job(Paths(root), read_finished(directory))


@pytest.mark.slow
def test_four_processes_log_into_a_new_database_at_once(paths: Paths, make_job: MakeJob) -> None:
    jobs = [make_job(seed=seed) for seed in range(8)]
    prepare_tracking(paths, "toy")
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=log_directories, args=(paths.root, [one.directory for one in jobs[index::4]]))
        for index in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=180)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert sorted(run.data.tags["seed"] for run in runs(paths)) == [str(seed) for seed in range(8)]
    assert {run.info.status for run in runs(paths)} == {"FINISHED"}


def test_the_environment_names_another_server(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri(paths) == f"sqlite:///{paths.root}/mlflow/store/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert isinstance(connect(paths), MlflowClient)
    assert connect(paths).tracking_uri == "http://127.0.0.1:5000"
