"""`vad worker`: run on this machine what is triggered on a Prefect server."""

from __future__ import annotations

import os
import sys

from flows.cli.common import session

__all__ = ["worker"]


def worker() -> None:
    """Run what is triggered on the Prefect server, one flow run at a time, until Ctrl-C; makes the pool `vad`.

    The server is PREFECT_API_URL, or that of `vad server start`. Flows run in this checkout.

    Example: vad worker
    """
    from flows.paths import Paths
    from flows.server import servers
    from vad_models.errors import JobError

    prefect = next(server for server in servers(Paths(session.root)) if server.name == "prefect")
    url = os.environ.get("PREFECT_API_URL", f"{prefect.url}/api")
    if "PREFECT_API_URL" not in os.environ and not prefect.ready:
        raise JobError(
            f"no Prefect server answers at {prefect.url}: start it with `vad server start`, "
            "or name one with PREFECT_API_URL."
        )
    root = session.root.absolute()
    environment = {
        "PREFECT_HOME": str(root / ".prefect"),
        **os.environ,
        "PREFECT_API_URL": url,
        "PREFECT_LOGGING_LEVEL": "INFO",
        "VAD_ROOT": str(root),  # where prefect.yaml lets flows run
    }
    # A flow run divides the machine among its jobs by itself, so that a second one at the same time would fight it.
    start = "worker start --pool vad --type process --install-policy never --limit 1"
    os.execve(sys.executable, [sys.executable, "-m", "prefect", *start.split()], environment)
