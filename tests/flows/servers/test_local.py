from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.project.paths import Paths
from flows.servers import local
from flows.servers.client import answers
from vad_models.errors import JobError

HEALTH = "/health"


def test_a_named_server_is_used_and_none_is_started(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a server was started"))

    with local.prefect_server(Paths(project_root)) as url:
        assert url == "http://127.0.0.1:1/api"


def test_a_server_that_does_not_start_names_its_log(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with (
        pytest.raises(JobError, match=r"did not start: .*command\.log says why"),
        local.prefect_server(Paths(project_root)),
    ):
        pass


@pytest.mark.slow
@pytest.mark.integration
def test_the_server_of_a_block_answers_inside_and_is_gone_after(project_root: Path) -> None:
    with local.prefect_server(Paths(project_root)) as url:
        assert os.environ["PREFECT_API_URL"] == url
        assert url.startswith("http://127.0.0.1:")
        assert answers(url + HEALTH)

    assert "PREFECT_API_URL" not in os.environ
    assert not answers(url + HEALTH)
    assert (project_root / ".prefect/prefect.db").exists()


@pytest.mark.slow
@pytest.mark.integration
def test_the_server_ends_with_a_command_that_is_killed(project_root: Path) -> None:
    script = (
        "import time\nfrom pathlib import Path\n"
        "from flows.project.paths import Paths\nfrom flows.servers.local import prefect_server\n"
        "with prefect_server(Paths(Path())) as url:\n    print(url, flush=True)\n    time.sleep(600)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    url = command.stdout.readline().strip()
    assert answers(url + HEALTH)

    command.kill()
    command.communicate()

    deadline = time.monotonic() + 20
    while answers(url + HEALTH) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not answers(url + HEALTH)


@pytest.mark.slow
@pytest.mark.integration
def test_standing_servers_start_are_found_and_stop(project_root: Path) -> None:
    prefect = next(one for one in local.servers(Paths(project_root)) if one.name == "prefect")
    try:
        local.start(prefect, project_root)
        with local.prefect_server(Paths(project_root)) as url:
            assert url == f"{prefect.url}/api"
    finally:
        stopped = local.stop(prefect)

    assert stopped
    assert not local.stop(prefect)


def test_a_standing_server_that_ends_at_once_names_its_log(project_root: Path) -> None:
    broken = local.Server("broken", 1, ("/bin/false",), "/", project_root)
    with pytest.raises(JobError, match=r"broken server did not start on port 1: .*broken\.log says why"):
        local.start(broken, project_root)
    assert not broken.pid_file.exists()


def test_a_port_that_another_server_has_is_named(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "answers", lambda _: True)
    taken = local.Server("mlflow", 5000, ("/bin/false",), "/", project_root)
    with pytest.raises(JobError, match=r"another server uses port 5000: .* with MLFLOW_PORT"):
        local.start(taken, project_root)


def test_stop_waits_for_the_end_and_leaves_a_process_alone_that_has_the_number_now(
    project_root: Path,
) -> None:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    sleeper = local.Server("sleeper", 1, (), "/", project_root)
    sleeper.pid_file.write_text(str(process.pid))
    os.utime(sleeper.pid_file, (0, 0))
    assert not local.stop(sleeper)
    assert process.poll() is None

    sleeper.pid_file.write_text(str(process.pid))
    assert local.stop(sleeper)
    assert not Path(f"/proc/{process.pid}").exists()
    process.wait(10)
