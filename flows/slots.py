"""How many jobs run at once, and on what: a setting of operations, never of science.

`VAD_RUNNER`   `processes` (default), `dask` or `ray`.
`VAD_SLOTS`    jobs at once; default: one on a machine with a GPU, else one a core.
"""

from __future__ import annotations

import os
from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows.steps import cores
from vad_models.devices import cuda_devices
from vad_models.errors import SettingsError

__all__ = ["slots", "task_runner", "threads_of_a_job"]


def slots() -> int:
    """Jobs that run at once.

    Raises:
        SettingsError: `VAD_SLOTS` is not a positive whole number.
    """
    wanted = os.environ.get("VAD_SLOTS")
    if wanted is None:
        return 1 if cuda_devices() else cores()
    if not wanted.isdecimal() or int(wanted) < 1:
        raise SettingsError(
            f"VAD_SLOTS = {wanted!r} is not allowed: it is the number of jobs at once, 1 or more."
        )
    return int(wanted)


def threads_of_a_job(jobs: int) -> int:
    """Threads that each of `jobs` jobs gets, so that those that run at once share the cores and do not fight."""
    return max(1, cores() // max(1, min(slots(), jobs)))


def task_runner() -> TaskRunner[Any]:
    """The engine that runs jobs.

    Raises:
        SettingsError: `VAD_RUNNER` names no engine, or one that is not installed.
    """
    wanted = os.environ.get("VAD_RUNNER", "processes")
    try:
        if wanted == "dask":
            from prefect_dask import DaskTaskRunner

            return DaskTaskRunner(address=os.environ.get("DASK_SCHEDULER_ADDRESS"))
        if wanted == "ray":
            from prefect_ray import RayTaskRunner

            return RayTaskRunner(address=os.environ.get("RAY_ADDRESS"))
    except ImportError:
        raise SettingsError(
            f"VAD_RUNNER = {wanted!r} needs an extra: pip install -e '.[{wanted}]'."
        ) from None
    if wanted != "processes":
        raise SettingsError(f"VAD_RUNNER = {wanted!r} is not allowed: it is processes, dask or ray.")
    return ProcessPoolTaskRunner(max_workers=slots(), initializer=end_with_parent)


def end_with_parent() -> None:
    """Make this worker process end when the flow's process dies, and quietly at Ctrl-C.

    A worker that outlived a killed flow would go on training in a directory that the next flow resumes from.
    """
    import signal
    import threading
    from multiprocessing import connection, parent_process

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = parent_process()
    if parent is None:
        return

    def wait_and_exit() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait_and_exit, daemon=True).start()
