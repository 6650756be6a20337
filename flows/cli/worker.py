"""`vad worker`: run the flows that are triggered on a Prefect server on this machine."""

from __future__ import annotations

import os
import signal
import sys

from flows.cli.common import session

__all__ = ["worker"]


def worker() -> None:
    """Run flows that are triggered on the Prefect server, one at a time, until Ctrl-C; creates the work pool `vad`.

    The server is PREFECT_API_URL, or that of `vad server start`. Flows run in this checkout. If this worker dies, the
    server returns its flow run to the queue.

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
            "a worker gets the settings file from each flow run: start it without --params, and give the run the "
            f"parameter root={session.params}."
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
        "VAD_ROOT": str(root),  # prefect.yaml runs flows in this folder
    }
    # A flow run divides the whole machine among its jobs, so a second one at the same time would compete with it.
    start = "worker start --pool vad --type process --install-policy never --limit 1"
    # A script that starts the worker in the background has the signal ignored by which Prefect stops its worker.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(sys.executable, [sys.executable, "-m", "prefect", *start.split()], environment)
