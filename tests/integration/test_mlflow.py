"""MLflow's own server over HTTP, behind passwords: who may log, how long it takes, and that nothing is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from flows.project.paths import Paths
from flows.servers.auth import (
    ADMINISTRATOR,
    CONFIGURATION,
    USER,
    check_auth,
    make_user,
    mlflow_configuration,
    mlflow_environment,
)
from flows.servers.local import (
    Server,
    mlflow_on,
    start,
    stop,
)
from flows.tracking.comparison import compare
from flows.tracking.run_contents import (
    epoch_metrics,
    final_metrics,
    params_of,
    tags_of,
    tags_when_finished,
)
from flows.tracking.runs import (
    connect,
    log_job,
    prepare_tracking,
)
from tests.flows.made_up import make_finished_job
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob, read_finished

pytestmark = [pytest.mark.slow, pytest.mark.integration]

START = Path(__file__).parents[2] / "mlflow" / "start.sh"
PASSWORD = "of whoever logs"
ADMINISTRATORS = "of who makes accounts"
EPOCHS = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Provide a server that stores everything in files and has one account in addition to the administrator's."""
    root = tmp_path_factory.mktemp("server")
    home = root / "home"
    home.mkdir()
    (root / "mlflow").mkdir()
    shutil.copy(START, root / "mlflow")
    (home / CONFIGURATION).write_text(mlflow_configuration(f"sqlite:///{home}/accounts.db"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_PORT", str(port))
        environment.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        mlflow = mlflow_on(home, **mlflow_environment(home, ADMINISTRATORS, "signs forms"))
        try:
            start(mlflow, root)
            make_user(mlflow, ADMINISTRATORS, PASSWORD)
            yield mlflow
        finally:
            stop(mlflow)


@pytest.fixture
def paths(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """An empty project of somebody who has an account."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    return Paths(tmp_path)


def long_job(paths: Paths, **names: object) -> FinishedJob:
    """A finished job with two losses an epoch."""
    finished = make_finished_job(paths, **names)  # type: ignore[arg-type]
    losses = np.linspace(1, 0, EPOCHS)
    history = {"phase": "training", "epoch": range(EPOCHS), "loss": losses, "holdout_loss": 2 * losses}
    pd.DataFrame(history).to_csv(finished.directory / "history.csv", index=False)
    (finished.directory / "figures").mkdir(exist_ok=True)
    (finished.directory / "figures" / "roc.png").write_bytes(b"png")
    return read_finished(finished.directory)


def assert_whole(client: MlflowClient, run_id: str, finished: FinishedJob, folder: Path) -> None:
    """Every parameter, tag, metric and file of the job is in its run."""
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == params_of(finished.job)
    tags = {**tags_of(finished.job), **tags_when_finished(finished)}
    assert {name: run.data.tags.get(name) for name in tags} == tags
    last = final_metrics(finished)
    assert {name: run.data.metrics.get(name) for name in last} == pytest.approx(last)
    for loss in ("loss", "holdout_loss"):
        wanted = {epoch: value for epoch, name, value in epoch_metrics(finished.history) if name == loss}
        history = client.get_metric_history(run_id, loss)
        assert len(history) == len(wanted)
        assert {point.step: point.value for point in history} == pytest.approx(wanted)
    copied = Path(download_artifacts(run_id=run_id, dst_path=str(folder), tracking_uri=client.tracking_uri))
    for file in (*(file.name for file in finished.files.logged), "figures/roc.png"):
        if (finished.directory / file).exists():
            assert (copied / file).read_bytes() == (finished.directory / file).read_bytes()


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), (USER, "a wrong password"), ("nobody", PASSWORD)]
)
def test_who_has_no_password_is_refused_in_one_sentence(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, user: str | None, password: str | None
) -> None:
    for name, value in (("USERNAME", user), ("PASSWORD", password)):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}")
        if value is not None:
            monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with pytest.raises(JobError, match="asks for a password: set MLFLOW_TRACKING_USERNAME and"):
        log_job(paths, make_finished_job(paths))


def test_with_a_password_jobs_are_logged_compared_and_replaced(paths: Paths, server: Server) -> None:
    finished = make_finished_job(paths, dataset="guarded")
    run = log_job(paths, finished)
    assert compare(paths, "guarded", ["method"]).runs == 1
    connect(paths).delete_run(run)
    assert log_job(paths, finished) != run


def test_the_servers_choice_is_known_and_its_account_is_made_once(server: Server) -> None:
    check_auth(server, True)
    with pytest.raises(JobError, match="mlflow server already runs and asks for a password: stop it"):
        check_auth(server, False)
    make_user(server, ADMINISTRATORS, PASSWORD)
    with pytest.raises(JobError, match=f"MLflow did not create the account '{USER}'"):
        make_user(server, "a wrong password", PASSWORD)
    assert all(secret not in server.log.read_text() for secret in (PASSWORD, ADMINISTRATORS))
    assert ADMINISTRATOR != USER


def test_a_job_with_a_thousand_metrics_is_logged_in_two_seconds(paths: Paths, tmp_path: Path) -> None:
    signals = [f"signal{number}" for number in range(6)]
    jobs = [long_job(paths, dataset="thousand", seed=seed, signals=signals) for seed in range(3)]
    prepare_tracking(paths, "thousand")
    seconds = []
    for finished in jobs:
        logged = len(list(epoch_metrics(finished.history))) + len(final_metrics(finished))
        assert logged >= 1000
        started = time.perf_counter()
        run = log_job(paths, finished)
        seconds.append(time.perf_counter() - started)
        assert_whole(connect(paths), run, finished, tmp_path / run)
    print(f"seconds a job: {seconds}")
    assert min(seconds) < 2


def log_at_once(root: Path, directories: list[Path], all_here: object) -> None:
    all_here.wait(120)  # type: ignore[attr-defined]
    for directory in directories:
        log_job(Paths(root), read_finished(directory))


@pytest.mark.timeout(900)
def test_eight_processes_that_log_at_once_lose_nothing(paths: Paths, tmp_path: Path) -> None:
    jobs = [long_job(paths, dataset="crowd", seed=seed) for seed in range(16)]
    prepare_tracking(paths, "crowd")
    context = multiprocessing.get_context("spawn")
    all_here = context.Barrier(8)
    workers = [
        context.Process(
            target=log_at_once, args=(paths.root, [one.directory for one in jobs[index::8]], all_here)
        )
        for index in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
    assert [worker.exitcode for worker in workers] == [0] * 8

    client = connect(paths)
    runs = client.search_runs([prepare_tracking(paths, "crowd")])
    by_fingerprint = {run.data.tags["fingerprint"]: run.info.run_id for run in runs}
    assert len(runs) == len(by_fingerprint) == 16
    for finished in jobs:
        run = by_fingerprint[finished.job.fingerprint]
        assert_whole(client, run, finished, tmp_path / run)
        inputs = client.get_run(run).inputs.dataset_inputs
        assert sorted(json.loads(one.dataset.profile)["videos"] for one in inputs) == [3, 4]
