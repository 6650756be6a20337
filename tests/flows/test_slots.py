from __future__ import annotations

import pytest
from prefect.task_runners import ProcessPoolTaskRunner

from flows import slots
from vad_models.errors import SettingsError


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAD_SLOTS", raising=False)
    monkeypatch.delenv("VAD_RUNNER", raising=False)
    monkeypatch.setattr(slots, "cores", lambda: 4)
    monkeypatch.setattr(slots, "cuda_devices", lambda: 0)


def test_without_a_gpu_a_slot_is_a_core() -> None:
    assert slots.slots() == 4


def test_a_machine_with_a_gpu_runs_one_job_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "cuda_devices", lambda: 1)
    assert slots.slots() == 1


@pytest.mark.parametrize(("jobs", "threads"), [(0, 4), (1, 4), (2, 2), (3, 1), (9, 1)])
def test_jobs_that_run_at_once_share_the_cores(jobs: int, threads: int) -> None:
    assert slots.threads_of_a_job(jobs) == threads


@pytest.mark.parametrize("wanted", ["0", "-1", "two", ""])
def test_an_impossible_number_of_slots_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("VAD_SLOTS", wanted)
    with pytest.raises(SettingsError, match=f"VAD_SLOTS = {wanted!r}.*1 or more"):
        slots.slots()


def test_processes_are_the_default_runner() -> None:
    assert slots.task_runner() == ProcessPoolTaskRunner(max_workers=4)


def test_an_unknown_runner_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAD_RUNNER", "cluster")
    with pytest.raises(SettingsError, match="'cluster' is not allowed: it is processes, dask or ray"):
        slots.task_runner()


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_an_engine_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, f"prefect_{engine}", None)
    monkeypatch.setenv("VAD_RUNNER", engine)
    with pytest.raises(SettingsError, match=rf"pip install -e '\.\[{engine}\]'"):
        slots.task_runner()
