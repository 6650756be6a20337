"""A project with two cameras in its own repository, and the running servers of a team."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from flows.project.datasets import track_dataset
from flows.project.paths import Paths
from flows.servers.team import ENVIRONMENT
from tests.conftest import PARAMS, write_footage, write_settings
from tests.end_to_end.test_dvc import GRID

ROOT = Path(__file__).parents[2]
SECONDS = 900
"""For any one command."""


@dataclass(frozen=True)
class Team:
    """The project, and the environment of someone who uses the servers."""

    root: Path
    environment: Mapping[str, str]

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Run a command that must succeed, and return its output."""
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def store(self, access_key: str, secret_key: str) -> Any:
        """A client of the S3 store."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )

    @contextmanager
    def worker(self, name: str) -> Iterator[psutil.Process]:
        """`vad worker`, which writes `<name>.log`; it is killed at the end of the block if it lives."""
        with (self.root / f"{name}.log").open("w") as log:
            process = psutil.Popen(
                ["vad", "worker"], cwd=self.root, env=dict(self.environment), stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.is_running():
                kill(process)


def kill(process: psutil.Process) -> None:
    """Kill a process and its children, as when a machine dies."""
    for one in (process, *process.children(recursive=True)):
        one.kill()
    process.wait(SECONDS)


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def team() -> Iterator[Team]:
    """The servers, started by `vad server start --team` and stopped by `vad server stop`."""
    # Under root PostgreSQL runs as `nobody`, who cannot enter pytest's own folders.
    root = Path(tempfile.mkdtemp(prefix="vad-team-"))
    root.chmod(0o755)
    _make_project(root)
    started = Team(root, _environment(root))
    try:
        started.run("vad", "server", "start", "--team")
        lines = (Paths(root).team / ENVIRONMENT).read_text().splitlines()
        yield Team(root, {**started.environment, **dict(line.split("=", 1) for line in lines)})
    finally:
        started.run("vad", "server", "stop")
        shutil.rmtree(root)


def _make_project(root: Path) -> None:
    write_settings(root, PARAMS + GRID)
    write_footage(root / "data" / "blobs")
    for folder in ("flows", "vad_models"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "mlflow").mkdir()
    (root / ".dvc").mkdir()
    for file in (
        "dvc.yaml",
        "prefect.yaml",
        ".dvcignore",
        ".gitignore",
        ".dvc/config",
        ".dvc/.gitignore",
        "mlflow/start.sh",
    ):
        shutil.copy(ROOT / file, root / file)
    track_dataset(root, "blobs")


def _environment(root: Path) -> dict[str, str]:
    s3 = _free_ports(4)
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "OMP_NUM_THREADS")}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(root),
        "PREFECT_HOME": str(root / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "DVC_NO_ANALYTICS": "1",
        "S3_PORT": str(s3),
        **{f"{name}_PORT": str(_free_ports(1)) for name in ("POSTGRES", "MLFLOW", "PREFECT")},
    }


def _free_ports(count: int) -> int:
    """The first of `count` free ports in a row, each of which is free when 10000 is added as well."""
    while True:
        first = random.randrange(20_000, 30_000)
        wanted = [first + offset + more for offset in range(count) for more in (0, 10_000)]
        if all(_is_free(port) for port in wanted):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
