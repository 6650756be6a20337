"""A flow run whose worker died goes back to the queue, where another worker finds it; finished jobs are kept."""

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
"""Environment of a worker: its flow runs say so often that they live, in seconds; Prefect allows no less."""

_NAME = "reschedule what a dead worker ran"
_SILENCE = timedelta(seconds=120)  # four heartbeats: a server that restarts misses one or two
_LIFE = "prefect.flow-run.heartbeat"
_ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}


def reschedule_lost_runs(paths: Paths, api: str) -> None:
    """Have the server behind `api` schedule again, once more, each flow run of a deployment that falls silent."""
    automation = AutomationCore(
        name=_NAME,
        description="No heartbeat for two minutes: the worker, or its machine, is gone.",
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
                state=StateType.SCHEDULED, name="AwaitingRetry", message="its worker fell silent", force=True
            )
        ],
    )
    with (
        alone(paths, "recovery"),  # two workers would both find that the server does not know it yet
        temporary_settings({PREFECT_API_URL: api}),
        get_client(sync_client=True) as client,
    ):
        if client.find_automation(_NAME) is None:
            client.create_automation(automation)
