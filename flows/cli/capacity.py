"""`vad bench orchestration` and `vad bench scale`: the cost of orchestration, measured on jobs that train nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DatasetArgument, console, orchestrated, project
from vad_models.errors import JobError, SettingsError

if TYPE_CHECKING:
    from rich.table import Table

    from flows.capacity.rehearsal import Rehearsal
    from flows.capacity.schedules import Matrix
    from flows.project.project import Project
    from vad_models.jobs.job import Job
    from vad_models.settings import Params

__all__ = ["orchestration", "scale"]

_MANY = 1000
"""Cameras."""

_LOGGED = 20
"""Number of jobs for which writing to MLflow is timed separately."""

_MACHINE = 8
"""Most slots of one machine, because machines have up to 8 GPUs; the grid runs in threads of one process."""


def orchestration(
    jobs: Annotated[
        int, typer.Option("--jobs", "-n", min=2, help="Number of jobs in each of the two rehearsals.")
    ] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds that a job takes by itself.")] = 20.0,
    check: Annotated[bool, typer.Option("--check", help="Fail if a limit is missed.")] = False,
) -> None:
    """Measure the overhead of `vad train`, with jobs that do nothing and then with jobs that take a known time.

    The command starts its own servers, unless PREFECT_API_URL and MLFLOW_TRACKING_URI name others. VAD_SLOTS jobs run
    at once.

    Example: VAD_SLOTS=2 vad bench orchestration --check
    """
    with _rehearsing(project().params) as stage:
        from flows.capacity.rehearsal import (
            LEAST_EFFICIENCY,
            MOST_OVERHEAD,
            run_rehearsal,
            servers_in_words,
        )

        pool = _trainings(stage)
        if 2 * jobs > len(pool):
            raise SettingsError(f"--jobs {jobs} is not allowed: it must be at most {len(pool) // 2}.")
        console.print(servers_in_words(stage))
        missed = []
        for first, each in ((0, 0.0), (jobs, seconds)):
            one = run_rehearsal(stage, pool[first : first + jobs], each)
            console.print(
                f"{one.jobs} jobs of {each:g} s on {one.slots} slots: {one.wall:.1f} s, {one.ideal:.1f} s without "
                f"overhead; {one.start:.1f} s until the first began\n"
                f"  overhead per job {one.overhead:.2f} s (limit {MOST_OVERHEAD:g} s)"
                + (f", parallel efficiency {one.efficiency:.2f} (limit {LEAST_EFFICIENCY:g})" if each else "")
            )
            if one.overhead >= MOST_OVERHEAD:
                missed.append(f"{one.overhead:.2f} s of overhead per job")
            if each and one.efficiency < LEAST_EFFICIENCY:
                missed.append(f"a parallel efficiency of {one.efficiency:.2f}")
    if check and missed:
        raise JobError(
            f"a limit is missed by {' and '.join(missed)}: try again while nothing else runs on this machine."
        )


def scale(
    dataset: DatasetArgument,
    jobs: Annotated[
        list[int] | None,
        typer.Option(
            "--jobs", "-n", min=1, help="Jobs of a rehearsal; may be repeated. Default: 10, 30, 100."
        ),
    ] = None,
    slots: Annotated[
        list[int] | None,
        typer.Option("--slots", min=1, help="Number of slots; may be repeated. Default: 1, 8, 64."),
    ] = None,
    speedup: Annotated[
        float,
        typer.Option(
            min=0.01,
            help="Assumption: a slot trains this many times as fast as the machine that measured DATASET.",
        ),
    ] = 1.0,
    price: Annotated[
        float | None, typer.Option(min=0.0, help="Assumption: price of a slot per hour.")
    ] = None,
) -> None:
    """Rehearse more and more jobs, and estimate how long ShanghaiTech and 1,000 cameras would take on many slots.

    The minutes per training and the frames scored per second come from results/DATASET.csv. All methods and variants
    are trained on each camera from four seeds, and scored under the grid of `robustness`. No footage is needed.

    Example: vad bench scale ucsd_ped2 --speedup 20 --price 0.53
    """
    here = project()
    with _rehearsing(here.params) as stage:
        from flows.capacity.rehearsal import (
            SHANGHAITECH,
            process_seconds,
            servers_in_words,
            tracking_seconds,
        )
        from flows.capacity.schedules import make_matrix, measured_costs

        method_of = {label: entry.method for label, entry in here.params.methods.items()}
        costs = measured_costs(here.paths.results / f"{dataset}.csv", method_of)
        console.print(servers_in_words(stage))
        started = time.perf_counter()
        pool = _trainings(stage)
        planning = (time.perf_counter() - started) / len(pool)
        rehearsals = _rehearse(stage, pool[_LOGGED:], sorted(jobs or [10, 30, 100]))
        console.print(_growth(rehearsals))
        largest = rehearsals[-1]
        process = process_seconds()
        serial = {
            "the process of the flow": largest.flow_cpu / largest.jobs,
            "writing to MLflow": tracking_seconds(stage, pool[:_LOGGED]),
        }
        if largest.server_cpu is not None:
            serial["the process of Prefect's server"] = largest.server_cpu / largest.jobs
        cameras = {
            "ShanghaiTech": SHANGHAITECH,
            f"{_MANY:,} cameras": tuple(islice(cycle(SHANGHAITECH), _MANY)),
        }
        matrices = {name: make_matrix(here.params, costs, footage) for name, footage in cameras.items()}
    mean = _mean_seconds(next(iter(matrices.values()))) / speedup
    console.print(_ceilings(serial, mean))
    first = max(serial, key=lambda name: serial[name])
    console.print(
        f"A job takes {mean:.0f} s on average, if a slot is {speedup:g} times as fast (assumed) as the machine that "
        f"measured {dataset}. It occupies its slot {largest.in_slot:.1f} s longer, and on a GPU {process:.1f} s more "
        f"for its own process; planning takes {1000 * planning:.1f} ms per job. The first bottleneck would be "
        f"{first}."
    )
    overhead = max(largest.in_slot + process, serial[first])
    console.print(
        _estimates(
            matrices, slots or [1, 8, 64], speedup, price, largest.start, planning, overhead, serial[first]
        )
    )


@contextmanager
def _rehearsing(params: Params) -> Iterator[Project]:
    """Create a project without footage and a Prefect server; its runs in MLflow are deleted at the end."""
    with TemporaryDirectory(prefix="vad-rehearsal-") as folder, orchestrated(Path(folder)):
        from flows.capacity.rehearsal import dataset_of, rehearsal_project
        from flows.tracking.runs import connect, prepare_tracking

        stage = rehearsal_project(Path(folder), params)
        experiment = prepare_tracking(stage.paths, dataset_of(stage))
        try:
            yield stage
        finally:
            connect(stage.paths).delete_experiment(experiment)


def _trainings(stage: Project) -> list[Job]:
    """Return the jobs of the rehearsal's matrix, except those that combine others, which would have to wait."""
    from flows.benchmark.jobs import plan
    from flows.capacity.rehearsal import dataset_of

    return [job for job in plan(stage, dataset_of(stage), list(stage.params.methods)) if not job.members]


def _rehearse(stage: Project, pool: Sequence[Job], counts: Sequence[int]) -> list[Rehearsal]:
    """Run one flow per count in `counts`, with that many jobs, which do nothing."""
    from flows.capacity.rehearsal import run_rehearsal

    if sum(counts) > len(pool):
        raise SettingsError(f"--jobs {counts} is not allowed: the sum must be at most {len(pool)}.")
    jobs = iter(pool)
    return [run_rehearsal(stage, list(islice(jobs, count)), 0.0) for count in counts]


def _growth(rehearsals: Sequence[Rehearsal]) -> Table:
    table = _table(
        "Measured: flows of jobs that do nothing", "jobs", "slots", "wall s", "first job after s", "s per job"
    )
    for one in rehearsals:
        table.add_row(
            f"{one.jobs:,}", str(one.slots), f"{one.wall:.1f}", f"{one.start:.1f}", f"{one.overhead:.2f}"
        )
    return table


def _ceilings(serial: Mapping[str, float], mean: float) -> Table:
    """List what limits the number of slots as long as it is a single process or a single database."""
    table = _table(
        "Measured: shared work, done for all jobs", "", "ms per job", "jobs per hour", "enough for slots"
    )
    for name, seconds in sorted(serial.items(), key=lambda entry: -entry[1]):
        table.add_row(name, f"{1000 * seconds:.0f}", f"{3600 / seconds:,.0f}", f"{mean / seconds:,.0f}")
    return table


def _mean_seconds(matrix: Matrix) -> float:
    return sum(map(sum, matrix.stages)) / matrix.jobs


def _estimates(
    matrices: Mapping[str, Matrix],
    slots: Sequence[int],
    speedup: float,
    price: float | None,
    start: float,
    planning: float,
    overhead: float,
    serial: float,
) -> Table:
    """Simulate schedules; `start` is in seconds per flow; `planning`, `overhead` and `serial` in seconds per job."""
    from flows.capacity.schedules import schedule

    columns = ("", "jobs", "slots", "hours", "working", "queueing", *(() if price is None else ("price",)))
    table = _table("Estimated: the whole matrix", *columns)
    for name, matrix in matrices.items():
        stages = [[seconds / speedup for seconds in stage] for stage in matrix.stages]
        for count in slots:
            one = schedule(stages, count, start + planning * matrix.jobs, overhead, serial)
            cost = () if price is None else (f"{price * count * one.wall / 3600:,.0f}",)
            table.add_row(
                name,
                f"{matrix.jobs:,}",
                str(count),
                _hours(one.wall),
                f"{one.efficiency:.0%}",
                f"{one.queued:.0%}",
                *cost,
            )
        # Cells are scored on the CPU, in threads of one machine.
        one = schedule([matrix.cells], min(_MACHINE, max(slots)))
        table.add_row(
            f"{name}, grid",
            f"{len(matrix.cells):,}",
            str(one.slots),
            _hours(one.wall),
            f"{one.efficiency:.0%}",
        )
    return table


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f}"


def _table(title: str, *columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table
