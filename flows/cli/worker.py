"""`vad worker`: run on this machine what is triggered on a Prefect server."""

from __future__ import annotations

import os
import sys

from flows.cli.common import session

__all__ = ["worker"]


def worker() -> None:
    """Run what is triggered on the Prefect server, one flow run at a time, until Ctrl-C; makes the pool `vad`.

    The server is PREFECT_API_URL, or that of `vad server start`. Flows run in this checkout. If this worker dies, the
    server puts back in the queue what it ran.

    Example: vad worker
    """
    from flows.execution.recovery import HEARTBEAT, reschedule_lost_runs
    from flows.project.environment import ServerEnvironment
    from flows.project.paths import Paths
    from flows.servers.client import answers
    from flows.servers.local import servers
    from vad_models.errors import JobError, SettingsError

    if session.params.name != "params.yaml":
        raise SettingsError(
            "a worker runs flows with the settings that each run names: start it without --params, and give the run "
            f"the parameter root={session.params}."
        )
    paths = Paths(session.root)
    local = next(server.url for server in servers(paths) if server.name == "prefect")
    url = ServerEnvironment.read().prefect_api_url or f"{local}/api"
    if not answers(f"{url}/health"):
        raise JobError(
            f"no Prefect server answers at {url}: start it with `vad server start`, "
            "or name another with PREFECT_API_URL."
        )
    reschedule_lost_runs(paths, url)
    root = session.root.absolute()
    environment = {
        "PREFECT_HOME": str(root / ".prefect"),
        **HEARTBEAT,
        **os.environ,
        "PREFECT_API_URL": url,
        "PREFECT_LOGGING_LEVEL": "INFO",
        "VAD_ROOT": str(root),  # where prefect.yaml lets flows run
    }
    # A flow run divides the machine among its jobs by itself, so that a second one at the same time would fight it.
    start = "worker start --pool vad --type process --install-policy never --limit 1"
    os.execve(sys.executable, [sys.executable, "-m", "prefect", *start.split()], environment)
