"""Recovery of flow runs whose worker died: they return to the queue for another worker, and finished jobs are kept."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture, ResourceSpecification
from prefect.events.actions import ChangeFlowRunState
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.execution.locks import alone
from flows.project.paths import Paths

__all__ = ["HEARTBEAT", "reschedule_lost_runs"]

HEARTBEAT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""Environment of a worker: seconds between the heartbeats of its flow runs; Prefect allows no fewer."""

_NAME = "reschedule what a dead worker ran"
_SILENCE = timedelta(seconds=120)  # four heartbeats, because a server that restarts misses one or two
_LIFE = "prefect.flow-run.heartbeat"
_ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}


def reschedule_lost_runs(paths: Paths, api: str) -> None:
    """Make the server at `api` reschedule, once, each flow run of a deployment whose heartbeats stop."""
    automation = AutomationCore(
        name=_NAME,
        description="No heartbeat for two minutes: the worker or its machine has died.",
        trigger=EventTrigger(
            after={_LIFE},
            expect={_LIFE, *_ENDS},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "deployment"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=_SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED, name="AwaitingRetry", message="its worker died", force=True
            )
        ],
    )
    with (
        alone(paths, "recovery"),  # otherwise two workers could both find no automation and create two
        temporary_settings({PREFECT_API_URL: api}),
        get_client(sync_client=True) as client,
    ):
        if client.find_automation(_NAME) is None:
            client.create_automation(automation)
