"""The servers of a team, and work done on them: data and models in S3, runs and flows in PostgreSQL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from flows.project.paths import Paths
from flows.servers.team import CREDENTIALS, ENVIRONMENT
from tests.integration.conftest import SECONDS, Team, kill, wait_for

pytestmark = [pytest.mark.team, pytest.mark.slow, pytest.mark.timeout(2400)]


def test_passwords_are_private_and_in_no_log_and_no_command_line(team: Team) -> None:
    home = Paths(team.root).team
    for name in (CREDENTIALS, ENVIRONMENT, "s3.json"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    passwords = json.loads((home / CREDENTIALS).read_text()).values()
    processes = team.run("ps", "axww", "-o", "command")
    for text in (processes, *(log.read_text() for log in home.glob("*.log"))):
        assert not any(password in text for password in passwords)


def test_the_store_refuses_a_wrong_key_and_the_bucket_of_another(team: Team) -> None:
    key, secret = team.environment["AWS_ACCESS_KEY_ID"], team.environment["AWS_SECRET_ACCESS_KEY"]
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        team.store(key, "wrong").put_object(Bucket="dvc", Key="key", Body=b"value")
    with pytest.raises(ClientError, match="AccessDenied"):
        team.store(key, secret).put_object(Bucket="mlflow", Key="key", Body=b"value")


def test_a_clone_pulls_what_was_pushed_and_has_nothing_to_do(team: Team, tmp_path: Path) -> None:
    team.run("git", "init", "--quiet")
    team.run("dvc", "commit", "--quiet", "--force", "data.dvc")
    team.run("dvc", "remote", "add", "--default", "team", "s3://dvc")
    team.run("dvc", "repro")
    team.run("git", "add", ".")
    team.run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "trained")
    team.run("dvc", "push")

    clone = tmp_path / "clone"
    team.run("git", "clone", "--quiet", str(team.root), str(clone), cwd=tmp_path)
    assert not (clone / "data").exists()
    team.run("dvc", "pull", cwd=clone)
    model = Path("runs/blobs/conv_ae/01/seed0/model.safetensors")
    assert (clone / model).read_bytes() == (team.root / model).read_bytes()

    assert "Running stage" not in team.run("dvc", "repro", cwd=clone)


def test_a_matrix_outlives_a_worker_and_ends_with_champions_in_the_store(team: Team, tmp_path: Path) -> None:
    api = team.environment["PREFECT_API_URL"]
    jobs = [
        team.root / f"runs/blobs/conv_ae/{camera}/seed{seed}" for camera in ("01", "02") for seed in (1, 2)
    ]
    with (
        httpx.Client(base_url=f"{api}/", timeout=60) as prefect,
        team.worker("one") as one,
        team.worker("two") as two,
    ):
        wait_for(lambda: prefect.get("work_pools/vad").is_success, SECONDS, "a worker makes its pool")
        team.run("prefect", "--no-prompt", "deploy", "--all")
        deployment = prefect.get("deployments/name/benchmark/vad").raise_for_status().json()["id"]
        parameters = {"dataset": "blobs", "seeds": [1, 2]}
        created = prefect.post(f"deployments/{deployment}/create_flow_run", json={"parameters": parameters})
        run = created.raise_for_status().json()["id"]

        wait_for(lambda: any((job / "job.json").exists() for job in jobs), SECONDS, "a training begins")
        kill(max((one, two), key=lambda worker: len(worker.children(recursive=True))))
        assert not all((job / "metrics.json").exists() for job in jobs)

        def state() -> str:
            return str(prefect.get(f"flow_runs/{run}").raise_for_status().json()["state_type"])

        wait_for(
            lambda: state() in ("COMPLETED", "FAILED", "CRASHED"), SECONDS, "the other worker ends the run"
        )
        assert state() == "COMPLETED"
        states = prefect.get("flow_run_states/", params={"flow_run_id": run}).raise_for_status().json()
        assert "AwaitingRetry" in [one["name"] for one in states]

    assert all((job / "metrics.json").exists() for job in jobs)
    uri = team.environment["MLFLOW_TRACKING_URI"]
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    for camera in ("01", "02"):
        name = f"blobs-camera-{camera}"
        version = client.get_model_version_by_alias(name, "champion")
        location = client.get_model_version_download_uri(name, version.version)
        pulled = Path(download_artifacts(location, dst_path=str(tmp_path / camera), tracking_uri=uri))
        assert list(pulled.rglob("model.safetensors"))
    secret = json.loads((Paths(team.root).team / CREDENTIALS).read_text())["s3-mlflow"]
    stored = team.store("mlflow", secret).list_objects_v2(Bucket="mlflow")["Contents"]
    assert any(entry["Key"].endswith("model.safetensors") for entry in stored)


def test_the_pages_show_the_work_in_a_browser(team: Team, tmp_path: Path) -> None:
    """Runs after the others, whose runs it looks for."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("there is no chromium here to look at the pages with")

    def page(url: str) -> str:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", f"--user-data-dir={tmp_path}"]
        return team.run(browser, *options, "--virtual-time-budget=60000", "--dump-dom", url)

    assert "benchmark blobs" in page(team.environment["PREFECT_API_URL"].removesuffix("/api") + "/flows")
    assert ">blobs<" in page(team.environment["MLFLOW_TRACKING_URI"] + "/#/experiments")
