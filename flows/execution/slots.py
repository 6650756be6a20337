"""Slots: how many jobs run at once, and on which devices. They never influence the numbers.

The variables are `flows.project.environment.JobEnvironment`.

A slot is a Prefect concurrency limit, `HOST cuda:1` or `HOST cpu:1`. One job at a time holds it, whichever flows run on
the host and whoever started them. A job on several devices holds the slots of all of them, and sees no other devices.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing import connection, current_process, get_context, parent_process
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows.execution.endings import end
from flows.execution.leases import hold_one
from flows.project.environment import JobEnvironment
from vad_models.devices import cuda_devices
from vad_models.errors import SettingsError

__all__ = [
    "devices_per_job",
    "end_with_parent",
    "in_slot",
    "slot",
    "slots",
    "task_runner",
    "threads_of_a_job",
]

P = ParamSpec("P")
T = TypeVar("T")

_HEARING_SECONDS = 10
"""Time for the main thread to react to a signal; during a call into a library it cannot."""

_DAEMON = "distributed.worker.daemon"
"""Dask's setting; `DASK_DISTRIBUTED__WORKER__DAEMON` in the environment. A daemon may not start processes."""

_process = threading.Lock()
"""Held by the one job that this process may run at a time: torch's threads and random numbers are global."""


def slots() -> int:
    """Return how many jobs run at once on this host.

    Raises:
        SettingsError: `VAD_SLOTS` or `VAD_DEVICES_PER_JOB` is not a positive whole number.
    """
    wanted = JobEnvironment.read()
    enough_for = max(1, (len(cuda_devices()) or cores()) // wanted.vad_devices_per_job)
    return enough_for if wanted.vad_slots is None else wanted.vad_slots


def devices_per_job() -> int:
    """Return how many devices train one job together.

    Raises:
        SettingsError: `VAD_DEVICES_PER_JOB` is not a positive whole number.
    """
    return JobEnvironment.read().vad_devices_per_job


def threads_of_a_job(jobs: int) -> int:
    """Return how many threads each of `jobs` concurrent jobs gets, so that they share the cores without contention."""
    return max(1, cores() // max(1, min(slots(), jobs)))


@contextmanager
def slot() -> Iterator[str]:
    """Wait until a slot of this host is free, and hold it while the block runs; yields `cpu:1`, `cuda:1` or `cuda:2,3`.

    Raises:
        SettingsError: the slots need more devices than there are.
    """
    devices, count = cuda_devices(), slots()
    each = devices_per_job() if devices else 1
    if devices and count * each > len(devices):
        raise SettingsError(
            f"VAD_SLOTS = {count} is not allowed: {len(devices)} CUDA devices are visible, and a job needs {each} "
            "(VAD_DEVICES_PER_JOB)."
        )
    kind, numbers = ("cuda", devices) if devices else ("cpu", [str(number) for number in range(count)])
    groups = {numbers[first]: numbers[first : first + each] for first in range(0, count * each, each)}
    host = f"{socket.gethostname()} {kind}:"
    with ExitStack() as held:
        first = held.enter_context(hold_one([f"{host}{number}" for number in groups])).removeprefix(host)
        # The other devices are free, unless another flow uses more or fewer devices per job. All jobs take devices in
        # this order, so no two jobs wait for each other.
        for number in groups[first][1:]:
            held.enter_context(hold_one([f"{host}{number}"]))
        yield f"{kind}:{','.join(groups[first])}"


def in_slot(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` while holding a slot of this host.

    On a GPU, `work` runs in its own process, because CUDA reads the visible devices once in the life of a process. On a
    CPU, threads that share this process (a Dask worker may have several) wait for each other.

    Raises:
        SettingsError: there are more slots than devices, or this process may not start other processes.
        Exception: what `work` raises.
    """
    with _process if not cuda_devices() else nullcontext(), slot() as held:
        kind, _, numbers = held.partition(":")
        if kind == "cpu":
            return work(*args, **kwargs)
        if current_process().daemon:
            raise SettingsError(
                "a job on a GPU runs in its own process, which a Dask worker starts only if its environment has "
                "DASK_DISTRIBUTED__WORKER__DAEMON=false: set it, and start the worker again."
            )
        spawn = get_context("spawn")
        with ProcessPoolExecutor(1, spawn, initializer=_begin_on_device, initargs=(numbers,)) as process:
            return process.submit(work, *args, **kwargs).result()


def task_runner() -> TaskRunner[Any]:
    """Return the engine that runs jobs.

    Raises:
        SettingsError: `VAD_RUNNER` names no engine, or one that is not installed.
    """
    environment = JobEnvironment.read()
    engine = environment.vad_runner
    try:
        if engine == "dask":
            return _dask_runner(environment.dask_scheduler_address)
        if engine == "ray":
            return _ray_runner(environment.ray_address)
    except ImportError:
        raise SettingsError(
            f"VAD_RUNNER = {engine!r} needs an extra: pip install -e '.[{engine}]'."
        ) from None
    return ProcessPoolTaskRunner(max_workers=slots(), initializer=end_with_parent)


def _dask_runner(address: str | None) -> TaskRunner[Any]:
    """Return the Dask cluster at `address`; None means a cluster on this host that lives as long as the flow."""
    import dask
    from prefect_dask.task_runners import DaskTaskRunner

    if address is not None:
        return DaskTaskRunner(address=address)
    dask.config.set({_DAEMON: False})
    here = {"n_workers": slots(), "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    return DaskTaskRunner(cluster_kwargs=here)


def _ray_runner(address: str | None) -> TaskRunner[Any]:
    """Return the Ray cluster at `address`; None means a cluster on this host that lives as long as the flow."""
    from prefect_ray.task_runners import RayTaskRunner

    if address is not None:
        return RayTaskRunner(address=address)
    return RayTaskRunner(init_kwargs={"num_cpus": slots(), "include_dashboard": False})


def end_with_parent() -> None:
    """Make this process end on a signal or when its parent dies, after the clean-up that `at_end` registered.

    A worker that outlived a killed flow would continue to train in a directory from which the next flow resumes.
    """
    # The last step of an ordinary exit; otherwise Python would first tear down torch and the rest, which takes seconds.
    atexit.register(os._exit, 0)
    # Ctrl-C, a cancelled flow run, and the pool when another of its processes has ended.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _end)
    parent = parent_process()
    if parent is None:
        return

    def wait_and_end() -> None:
        connection.wait([parent.sentinel])
        # In the main thread, so that training is suspended meanwhile, unless a long computation blocks signals there.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(_HEARING_SECONDS)
        end(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


def _begin_on_device(devices: str) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = devices
    end_with_parent()


def _end(sign: int, _: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    end(128 + sign)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
