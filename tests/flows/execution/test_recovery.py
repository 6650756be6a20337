"""A flow run whose worker died returns to the queue; a flow run that ended does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running

from flows.execution import recovery
from flows.execution.recovery import HEARTBEAT, reschedule_lost_runs
from flows.project.paths import Paths
from flows.servers.local import prefect_server

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@flow
def nothing() -> None: ...


@pytest.fixture
def api(project_root: Path) -> Iterator[str]:
    with prefect_server(Paths(project_root)) as url, temporary_settings({PREFECT_API_URL: url}):
        yield url


def begin(client: SyncPrefectClient, deployment: UUID | None) -> FlowRun:
    """Create a flow run that sends one heartbeat."""
    if deployment is None:
        run = client.create_flow_run(nothing, state=Running())
        related = []
    else:
        run = client.create_flow_run_from_deployment(deployment, state=Running())
        related = [
            {"prefect.resource.id": f"prefect.deployment.{deployment}", "prefect.resource.role": "deployment"}
        ]
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
    emit_event("prefect.flow-run.heartbeat", resource, related=related)
    return run


def test_a_run_of_a_deployment_that_falls_silent_is_scheduled_again(
    api: str, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_SILENCE", timedelta(seconds=10))  # Prefect allows no less
    for _ in range(2):
        reschedule_lost_runs(Paths(project_root), api)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(nothing), "vad")
        silent, ended, by_hand = begin(client, deployment), begin(client, deployment), begin(client, None)
        EventsWorker.instance().wait_until_empty()
        client.set_flow_run_state(ended.id, Completed(), force=True)

        def names(run: FlowRun) -> list[str]:
            return [state.name for state in client.read_flow_run_states(run.id)]

        deadline = time.monotonic() + 60
        while "AwaitingRetry" not in names(silent):
            assert time.monotonic() < deadline, names(silent)
            time.sleep(0.5)
        assert names(silent) == ["Running", "AwaitingRetry"]
        assert names(ended) == ["Running", "Completed"]
        assert names(by_hand) == ["Running"]  # who started it sees that it died


def test_a_silence_is_several_heartbeats_long() -> None:
    """A server that restarts misses one or two."""
    (seconds,) = HEARTBEAT.values()
    assert timedelta(seconds=4 * int(seconds)) <= recovery._SILENCE
