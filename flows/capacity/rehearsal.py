"""Rehearsals: the real flow, processes, slots and servers, on jobs that train nothing and need no footage."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import psutil
from prefect import flow

from flows.benchmark.flow import train_jobs
from flows.execution.slots import end_with_parent, slots, task_runner
from flows.project.environment import ServerEnvironment
from flows.project.paths import Paths
from flows.project.project import Project
from flows.project.provenance import record_provenance
from flows.tracking.runs import fill_run, running, tracking_uri
from vad_models.data.manifest import write_manifest
from vad_models.jobs.finished import read_finished
from vad_models.jobs.job import Job
from vad_models.jobs.stand_in import rehearse, working_hours
from vad_models.settings import Params

__all__ = [
    "LEAST_EFFICIENCY",
    "MOST_OVERHEAD",
    "SEEDS",
    "SHANGHAITECH",
    "RecordedCamera",
    "Rehearsal",
    "dataset_of",
    "process_seconds",
    "rehearsal_project",
    "run_rehearsal",
    "servers_in_words",
    "tracking_seconds",
]

MOST_OVERHEAD = 2.0
"""Seconds of orchestration per job, the project's own target: docs/scale.md."""

LEAST_EFFICIENCY = 0.85
"""Efficiency of two slots, the project's own target: docs/scale.md."""


@dataclass(frozen=True)
class RecordedCamera:
    """The recordings of a camera: counts of videos, and of the frames of all test videos."""

    training_videos: int
    test_videos: int
    test_frames: int


SHANGHAITECH = (
    RecordedCamera(83, 34, 11_894),
    RecordedCamera(15, 3, 1_155),
    RecordedCamera(6, 10, 4_090),
    RecordedCamera(20, 9, 4_761),
    RecordedCamera(66, 8, 4_160),
    RecordedCamera(30, 6, 1_470),
    RecordedCamera(8, 8, 3_368),
    RecordedCamera(49, 12, 3_708),
    RecordedCamera(10, 1, 361),
    RecordedCamera(11, 5, 2_213),
    RecordedCamera(10, 1, 337),
    RecordedCamera(15, 10, 3_274),
    RecordedCamera(7, 0, 0),
)
"""The cameras of ShanghaiTech Campus (Luo et al. 2017), with the names in its files."""

_TRAINING_FRAMES = 274_515 // 330
"""Average frames of a training video of ShanghaiTech."""

SEEDS = (0, 1, 2, 3)
"""As many seeds as in the papers."""


def rehearsal_project(
    root: Path, params: Params, cameras: Sequence[RecordedCamera] = SHANGHAITECH
) -> Project:
    """Create a project in `root` with one dataset that has a manifest but no video.

    The dataset gets a new name each time, so that its runs are separate on a server that others use. It is trained with
    the settings of the dataset `default`, from four seeds.
    """
    name = f"rehearsal-{uuid.uuid4().hex[:8]}"
    settings = params.dataset("default").model_copy(update={"seeds": SEEDS})
    project = Project(Paths(root), params.model_copy(update={"datasets": {name: settings}}))
    rows = [
        row
        for number, footage in enumerate(cameras, start=1)
        for row in _manifest_rows(name, f"{number:02d}", footage)
    ]
    for size in settings.frames:
        folder = project.paths.frames / name / str(size)
        folder.mkdir(parents=True)
        table = pd.DataFrame(rows).assign(height=size.height, width=size.width)
        write_manifest(table, folder / "manifest.parquet")
    return project


def dataset_of(project: Project) -> str:
    """Return the name of the one dataset of a rehearsal's project."""
    (name,) = project.params.datasets
    return name


def _manifest_rows(dataset: str, camera: str, footage: RecordedCamera) -> list[dict[str, object]]:
    counts = {
        "train": (footage.training_videos, _TRAINING_FRAMES),
        "test": (footage.test_videos, footage.test_frames // max(1, footage.test_videos)),
    }
    return [
        {
            "dataset": dataset,
            "camera": camera,
            "split": split,
            "video": f"{video:03d}",
            "frames": frames,
            "fps": 24.0,
            "unreadable": "",
            "labelled": split == "test",
            "label_frames": frames if split == "test" else -1,
            "abnormal": [],
            "abnormal_frames": 0,
            "label_set": "official" if split == "test" else "none",
            "sha256": f"{camera}/{split}/{video}",
            "path": f"{camera}/{split}/{video:03d}.npy",
        }
        for split, (videos, frames) in counts.items()
        for video in range(videos)
    ]


@dataclass(frozen=True)
class Rehearsal:
    """Measured times of a flow whose jobs take a known time; all times in seconds.

    Attributes:
        jobs: number of jobs.
        slots: number of jobs at once.
        seconds: time that each job takes by itself.
        wall: time of the whole flow.
        start: time until the first job began, in which processes start and import.
        flow_cpu: processor time of this process, which runs the flow.
        server_cpu: processor time of the Prefect server; None if another process started it.
    """

    jobs: int
    slots: int
    seconds: float
    wall: float
    start: float
    flow_cpu: float
    server_cpu: float | None

    @property
    def ideal(self) -> float:
        """Time of the flow if only the jobs took time."""
        return self.jobs * self.seconds / self.slots

    @property
    def overhead(self) -> float:
        """Seconds of orchestration per job."""
        return (self.wall - self.ideal) / self.jobs

    @property
    def efficiency(self) -> float:
        """Share of the time in which the slots were busy."""
        return self.ideal / self.wall

    @property
    def in_slot(self) -> float:
        """Seconds for which a job occupies its slot in addition to its own time, without the start of the flow."""
        return (self.wall - self.start) * self.slots / self.jobs - self.seconds


def run_rehearsal(project: Project, jobs: Sequence[Job], seconds: float) -> Rehearsal:
    """Run jobs that take `seconds` each, in the way `vad train` runs jobs.

    Raises:
        JobError: a job failed.
    """

    @flow(name="rehearsal", flow_run_name=f"rehearsal of {len(jobs)} jobs", task_runner=task_runner())
    def rehearsal() -> None:
        train_jobs(project, jobs, partial(rehearse, seconds=seconds))

    server = _own_server()
    cpu = time.process_time(), _cpu_seconds(server)
    began, started = time.time(), time.perf_counter()
    rehearsal()
    wall = time.perf_counter() - started
    flow_cpu, server_cpu = time.process_time() - cpu[0], _cpu_seconds(server) - cpu[1]
    first = min(working_hours(project.directory(job))[0] for job in jobs)
    return Rehearsal(
        len(jobs), slots(), seconds, wall, first - began, flow_cpu, server_cpu if server else None
    )


def process_seconds() -> float:
    """Measure the seconds to start and end a process that can train, which each job on a GPU needs."""
    started = time.perf_counter()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent) as process:
        process.submit(_nothing).result()
    return time.perf_counter() - started


def _nothing() -> None:
    """Do nothing; a process that can call this has imported everything that a training needs."""


def tracking_seconds(project: Project, jobs: Sequence[Job]) -> float:
    """Measure the seconds to log one job in MLflow, in one process, one job after the other; none has run before."""
    for job in jobs:
        directory = project.directory(job)
        rehearse(job, None, directory, project.params.evaluation, seconds=0.0)
        record_provenance(project.paths, job.dataset, directory)
    started = time.perf_counter()
    for job in jobs:
        with running(project.paths, job) as run:
            fill_run(project.paths, run, read_finished(project.directory(job)))
    return (time.perf_counter() - started) / len(jobs)


def servers_in_words(project: Project) -> str:
    """Describe where the runs of Prefect and of MLflow are stored."""
    url, uri = ServerEnvironment.read().prefect_api_url, tracking_uri(project.paths)
    prefect = "its own server, SQLite" if _own_server() else f"the server {url}"
    mlflow = "SQLite" if uri.startswith("sqlite") else f"the server {uri}"
    return f"Prefect: {prefect}. MLflow: {mlflow}."


def _own_server() -> psutil.Process | None:
    """Return the Prefect server that this process has started, or None."""
    children = psutil.Process().children()
    return next(
        (one for one in children if one.cmdline()[:3] == [sys.executable, "-m", "flows.servers.local"]), None
    )


def _cpu_seconds(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)
