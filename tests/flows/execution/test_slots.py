from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from multiprocessing import current_process, get_context
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.task_runners import ProcessPoolTaskRunner

from flows.execution import slots
from flows.project.paths import Paths
from flows.servers.local import prefect_server
from vad_models.errors import SettingsError


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAD_SLOTS", raising=False)
    monkeypatch.delenv("VAD_DEVICES_PER_JOB", raising=False)
    monkeypatch.delenv("VAD_RUNNER", raising=False)
    monkeypatch.setattr(slots, "cores", lambda: 4)
    monkeypatch.setattr(slots, "cuda_devices", list)


def test_without_a_gpu_a_slot_is_a_core() -> None:
    assert slots.slots() == 4


def test_a_gpu_is_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["0", "1", "2"])
    assert slots.slots() == 3


@pytest.mark.parametrize(("devices", "each", "count"), [(4, 2, 2), (5, 2, 2), (0, 2, 2), (0, 9, 1)])
def test_a_slot_is_as_many_devices_as_a_job_takes(
    monkeypatch: pytest.MonkeyPatch, devices: int, each: int, count: int
) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: [str(number) for number in range(devices)])
    monkeypatch.setenv("VAD_DEVICES_PER_JOB", str(each))
    assert slots.slots() == count


def test_a_job_of_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["0", "1"])
    monkeypatch.setenv("VAD_DEVICES_PER_JOB", "4")
    with pytest.raises(SettingsError, match="2 CUDA devices are visible, and a job needs 4"):
        slots.in_slot(print)


def test_more_slots_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["0", "1"])
    monkeypatch.setenv("VAD_SLOTS", "3")
    with pytest.raises(SettingsError, match="VAD_SLOTS = 3 is not allowed: 2 CUDA devices"):
        slots.in_slot(print)


@pytest.mark.parametrize(("jobs", "threads"), [(0, 4), (1, 4), (2, 2), (3, 1), (9, 1)])
def test_jobs_that_run_at_once_share_the_cores(jobs: int, threads: int) -> None:
    assert slots.threads_of_a_job(jobs) == threads


@pytest.mark.parametrize("wanted", ["0", "-1", "two"])
def test_an_impossible_number_of_slots_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("VAD_SLOTS", wanted)
    with pytest.raises(SettingsError, match=f"VAD_SLOTS = {wanted!r}.*1 or more"):
        slots.slots()


def test_processes_are_the_default_runner() -> None:
    assert slots.task_runner() == ProcessPoolTaskRunner(max_workers=4)


def test_an_unknown_runner_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAD_RUNNER", "cluster")
    with pytest.raises(SettingsError, match="'cluster' is not allowed: it must be processes, dask or ray"):
        slots.task_runner()


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_an_engine_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    # The module that is imported, not its package: that would hide nothing where the engine was loaded before.
    monkeypatch.setitem(sys.modules, f"prefect_{engine}.task_runners", None)
    monkeypatch.setenv("VAD_RUNNER", engine)
    with pytest.raises(SettingsError, match=rf"pip install -e '\.\[{engine}\]'"):
        slots.task_runner()


JOBS = """
import json, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from flows.execution import slots

def job(number, seconds):
    with slots.slot() as held:
        began = time.time()
        Path(f"{number}.began").touch()
        time.sleep(seconds)
        Path(f"{number}.json").write_text(json.dumps([held, began, time.time()]))

if __name__ == "__main__":
    first, count, seconds, processes = json.loads(sys.argv[1])
    with ProcessPoolExecutor(processes, get_context("spawn"), slots.end_with_parent) as pool:
        list(pool.map(job, range(first, first + count), [seconds] * count))
"""
"""A flow as far as slots see it: a pool of processes that take jobs."""


@pytest.fixture
def flow_of_jobs(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The script `JOBS`, four slots, and a server."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("VAD_SLOTS", "4")
    with prefect_server(Paths(project_root)):
        script = project_root / "jobs.py"
        script.write_text(JOBS)
        yield script


@contextmanager
def started(
    script: Path, first: int, count: int, seconds: float, processes: int
) -> Iterator[subprocess.Popen[bytes]]:
    arguments = json.dumps([first, count, seconds, processes])
    flow = subprocess.Popen([sys.executable, str(script), arguments], start_new_session=True)
    try:
        yield flow
    finally:
        if flow.poll() is None:
            os.killpg(flow.pid, signal.SIGKILL)
            flow.wait()


@pytest.mark.slow
@pytest.mark.integration
def test_twelve_jobs_of_two_flows_on_four_slots_never_share_one(flow_of_jobs: Path) -> None:
    with started(flow_of_jobs, 0, 6, 1.0, 3) as one, started(flow_of_jobs, 6, 6, 1.0, 3) as other:
        assert (one.wait(300), other.wait(300)) == (0, 0)

    jobs = [json.loads((flow_of_jobs.parent / f"{number}.json").read_text()) for number in range(12)]
    assert {held for held, _, _ in jobs} <= {f"cpu:{number}" for number in range(4)}
    for slot in {held for held, _, _ in jobs}:
        in_it = sorted((began, ended) for held, began, ended in jobs if held == slot)
        assert all(before[1] <= after[0] for before, after in pairwise(in_it))


@pytest.mark.slow
@pytest.mark.team
def test_slots_are_free_at_once_after_ctrl_c_and_soon_after_a_kill(flow_of_jobs: Path) -> None:
    for first, sign, patience in ((0, signal.SIGINT, 15), (4, signal.SIGKILL, 120)):
        with started(flow_of_jobs, first, 4, 600.0, 4) as flow:
            wait_for(partial(jobs_run, flow_of_jobs.parent, range(first, first + 4)), 120)
            assert held_slots() == 4
            os.killpg(flow.pid, sign)
            flow.wait(60)
            wait_for(lambda: held_slots() == 0, patience)


@pytest.mark.slow
@pytest.mark.integration
def test_a_job_on_a_gpu_sees_that_gpu_alone(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["3", "5"])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with prefect_server(Paths(project_root)), slots.slot() as held:
        assert held == "cuda:3"
        assert slots.in_slot(os.getenv, "CUDA_VISIBLE_DEVICES") == "5"


@pytest.mark.slow
@pytest.mark.integration
def test_a_job_of_two_gpus_holds_both_whatever_others_take(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["0", "1", "2", "3"])
    with prefect_server(Paths(project_root)), slots.slot() as alone:
        monkeypatch.setenv("VAD_DEVICES_PER_JOB", "2")
        with slots.slot() as both:
            assert (alone, both) == ("cuda:0", "cuda:2,3")
            assert held_slots() == 3
        assert held_slots() == 1


@pytest.mark.slow
@pytest.mark.integration
def test_a_worker_that_may_start_no_process_says_how_it_may(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: ["0"])
    monkeypatch.setitem(current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    with (
        prefect_server(Paths(project_root)),
        pytest.raises(SettingsError, match="DASK_DISTRIBUTED__WORKER__DAEMON=false"),
    ):
        slots.in_slot(print)


@pytest.mark.slow
def test_a_process_of_the_pool_ends_without_being_taken_apart(tmp_path: Path) -> None:
    """That takes seconds once torch is loaded; what was asked for at exit is done all the same."""
    process = get_context("spawn").Process(target=leave_traces, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert {trace.name for trace in tmp_path.iterdir()} == {"asked for"}


class Trace:
    """Leaves a file when it is taken apart."""

    def __init__(self, file: Path) -> None:
        self.leave = partial(os.open, str(file), os.O_CREAT)

    def __del__(self) -> None:
        self.leave()


def leave_traces(folder: Path) -> None:
    slots.end_with_parent()
    atexit.register((folder / "asked for").touch)
    slots.kept = Trace(folder / "taken apart")  # type: ignore[attr-defined]


def jobs_run(folder: Path, numbers: range) -> bool:
    return all((folder / f"{number}.began").exists() for number in numbers)


def held_slots() -> int:
    with get_client(sync_client=True) as client:
        return sum(limit.active_slots for limit in client.read_global_concurrency_limits())


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
