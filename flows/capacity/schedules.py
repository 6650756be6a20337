"""Computed schedules: how long matrices of jobs take on any number of slots, by list scheduling of measured seconds."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from flows.capacity.rehearsal import SEEDS, RecordedCamera
from flows.results.tables import read_results
from vad_models.errors import JobError
from vad_models.jobs.job import label_of
from vad_models.settings import Params
from vad_models.studies.conditions import RobustnessSettings, conditions

__all__ = ["Costs", "Matrix", "Schedule", "make_matrix", "measured_costs", "schedule"]


@dataclass(frozen=True)
class Costs:
    """Costs of methods, on the machine that measured them, by label.

    Attributes:
        training: seconds of one training.
        scoring: frames scored per second.
    """

    training: Mapping[str, float]
    scoring: Mapping[str, float]

    def job(self, label: str, test_frames: int) -> float:
        """Return the seconds to train a job and score its test video."""
        return self.training[label] + test_frames / self.scoring[label]

    def cell(self, labels: Iterable[str], test_frames: int) -> float:
        """Return the seconds of a cell of a grid, in which each of `labels` scores the test video from every seed."""
        return len(SEEDS) * sum(test_frames / self.scoring[label] for label in labels)


def measured_costs(results: Path, method_of: Mapping[str, str]) -> Costs:
    """Read costs from a result table, averaged over its jobs; a variant that is missing has the costs of its method.

    Args:
        results: `results/<dataset>.csv`.
        method_of: label of a method or variant -> its method.

    Raises:
        DataError: there is no such file.
        JobError: the table lacks a method.
    """
    table = read_results(results).dropna(subset=["fps_score", "fingerprint"]).drop_duplicates("fingerprint")
    labels = [label_of(row.method, row.variant) for row in table.itertuples()]
    means = table.groupby(labels)[["train_minutes", "fps_score"]].mean()
    training, scoring = {}, {}
    for label, method in method_of.items():
        known = label if label in means.index else method
        if known not in means.index:
            raise JobError(
                f"{results} has no row of {known}: train it with "
                f"`vad train --dataset {results.stem} --method {known}`, then `vad evaluate {results.stem}`."
            )
        training[label] = 60 * float(means.at[known, "train_minutes"])
        scoring[label] = float(means.at[known, "fps_score"])
    return Costs(training, scoring)


@dataclass(frozen=True)
class Matrix:
    """Every method and variant on every camera from every seed, and the grid of the robustness study.

    Attributes:
        stages: seconds of each job, in the order of the flow; jobs that combine other jobs are in a later stage.
        cells: seconds of each cell of the grid, which is scored with trained models.
    """

    stages: tuple[tuple[float, ...], ...]
    cells: tuple[float, ...]

    @property
    def jobs(self) -> int:
        return sum(map(len, self.stages))


def make_matrix(params: Params, costs: Costs, cameras: Sequence[RecordedCamera]) -> Matrix:
    """Build the matrix of `cameras`."""
    profile = params.dataset("default").profile
    combine = {label for label in params.methods if params.method_settings(label, profile).get("members")}
    stages = tuple(
        tuple(
            costs.job(label, camera.test_frames)
            for label in params.methods
            if (label in combine) is last
            for camera in cameras
            for _ in SEEDS
        )
        for last in (False, True)
    )
    robustness = params.study("robustness", RobustnessSettings)
    labels = robustness.methods or params.benchmark.methods
    tested = [camera.test_frames for camera in cameras if camera.test_frames]
    return Matrix(
        stages, tuple(costs.cell(labels, frames) for _ in conditions(robustness) for frames in tested)
    )


@dataclass(frozen=True)
class Schedule:
    """Jobs on slots.

    Attributes:
        wall: seconds until the last job has ended.
        slots: number of jobs at once.
        efficiency: share of the time in which the slots were busy.
        queued: share of the time in which they waited for work that only one job can do at a time.
    """

    wall: float
    slots: int
    efficiency: float
    queued: float


def schedule(
    stages: Sequence[Sequence[float]],
    slots: int,
    start: float = 0.0,
    overhead: float = 0.0,
    serial: float = 0.0,
) -> Schedule:
    """Assign each job, in the order of the flow, to the slot that is free first.

    Args:
        stages: seconds of each job; a stage begins when the previous one has ended.
        slots: number of jobs at once.
        start: seconds before the first job begins.
        overhead: seconds for which each job occupies its slot in addition to its own.
        serial: the part of `overhead`, at a job's end, that only one job can take at a time, in seconds.
    """
    now, queued = start, 0.0
    for stage in stages:
        waiting = iter(stage)
        ready = [now + seconds + overhead - serial for seconds in islice(waiting, slots)]
        heapq.heapify(ready)
        while ready:  # the job that is ready first ends first, because jobs take turns in the serial part
            at = heapq.heappop(ready)
            queued += max(0.0, now - at)
            now = max(now, at) + serial
            for seconds in islice(waiting, 1):
                heapq.heappush(ready, now + seconds + overhead - serial)
    available = max(now * slots, 1e-9)
    return Schedule(now, slots, sum(map(sum, stages)) / available, queued / available)
