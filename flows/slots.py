"""How many jobs run at once, and on what: a setting of operations, never of science.

`VAD_RUNNER`   `processes` (default), `dask` or `ray`.
`VAD_SLOTS`    jobs at once on a host; default: one a CUDA device, else one a core.

A slot is a concurrency limit of Prefect, `HOST cuda:1` or `HOST cpu:1`: whatever flows run on a host, and whoever
started them, one job holds it at a time. A job that holds the slot of a device sees no other device.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows.leases import give_back_all, hold_one
from flows.steps import cores
from vad_models.devices import cuda_devices
from vad_models.errors import SettingsError

__all__ = ["end_with_parent", "in_slot", "slot", "slots", "task_runner", "threads_of_a_job"]

P = ParamSpec("P")
T = TypeVar("T")

_GRACE_SECONDS = 5
"""For giving slots back at Ctrl-C."""


def slots() -> int:
    """Jobs that run at once on this host.

    Raises:
        SettingsError: `VAD_SLOTS` is not a positive whole number.
    """
    wanted = os.environ.get("VAD_SLOTS")
    if wanted is None:
        return len(cuda_devices()) or cores()
    if not wanted.isdecimal() or int(wanted) < 1:
        raise SettingsError(
            f"VAD_SLOTS = {wanted!r} is not allowed: it is the number of jobs at once, 1 or more."
        )
    return int(wanted)


def threads_of_a_job(jobs: int) -> int:
    """Threads that each of `jobs` jobs gets, so that those that run at once share the cores and do not fight."""
    return max(1, cores() // max(1, min(slots(), jobs)))


@contextmanager
def slot() -> Iterator[str]:
    """Hold a slot of this host, `cpu:1` or `cuda:1`, while the block runs; waits until one is free.

    Raises:
        SettingsError: there are more slots than devices.
    """
    devices = cuda_devices()
    if devices and slots() > len(devices):
        raise SettingsError(
            f"VAD_SLOTS = {slots()} is not allowed: {len(devices)} CUDA devices are visible, and a job takes one."
        )
    kind, numbers = ("cuda", devices) if devices else ("cpu", [str(number) for number in range(slots())])
    host = socket.gethostname()
    with hold_one([f"{host} {kind}:{number}" for number in numbers[: slots()]]) as name:
        yield name.removeprefix(f"{host} ")


def in_slot(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` while holding a slot of this host.

    On a GPU it runs in a process of its own: CUDA reads which devices it may see once in the life of a process.

    Raises:
        SettingsError: there are more slots than devices.
        Exception: what `work` raises.
    """
    with slot() as held:
        kind, _, number = held.partition(":")
        if kind == "cpu":
            return work(*args, **kwargs)
        spawn = get_context("spawn")
        with ProcessPoolExecutor(1, spawn, initializer=_begin_on_device, initargs=(number,)) as process:
            return process.submit(work, *args, **kwargs).result()


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
    """Make this worker process end when the flow's process dies, and quietly, without its slot, when it is told to.

    A worker that outlived a killed flow would go on training in a directory that the next flow resumes from.
    """
    # Ctrl-C, and the pool when another of its processes has ended.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _end)
    parent = parent_process()
    if parent is None:
        return

    def wait_and_exit() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait_and_exit, daemon=True).start()


def _begin_on_device(device: str) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    end_with_parent()


def _end(sign: int, _: FrameType | None) -> None:
    """Give back the slots, so that the next command need not wait for their leases to run out; then end."""
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    giving_back = threading.Thread(target=give_back_all, daemon=True)
    giving_back.start()
    giving_back.join(_GRACE_SECONDS)
    os._exit(128 + sign)
