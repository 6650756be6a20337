"""Speed of a grid of conditions in one run, compared with the same evaluations one by one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vad_models.data.frame_store import Video
from vad_models.operation.export import load_method
from vad_models.studies.conditions import Condition, score_under

__all__ = ["GridSpeed", "measure_grid"]

_SEED = 0
"""Seed of the distortions."""


@dataclass(frozen=True)
class GridSpeed:
    """A grid of conditions x methods, scored in two ways, with the same number of workers.

    Attributes:
        conditions: of the grid.
        methods: scored under each of them.
        grid_seconds: as studies do it: threads of one process, every model loaded once, every video read and distorted
            once for all methods.
        separate_seconds: a process of its own for each condition and method, with all that it has to load.
    """

    conditions: int
    methods: int
    grid_seconds: float
    separate_seconds: float


def measure_grid(
    directories: Sequence[Path],
    videos: Sequence[Video],
    conditions: Sequence[Condition],
    workers: int,
    threads: int,
) -> GridSpeed:
    """Score test videos with trained methods under every condition, in both ways.

    Args:
        directories: of finished jobs that see frames of the videos' size.
        videos: test videos of one camera.
        conditions: of the grid.
        workers: evaluations at once.
        threads: of torch, for each of them.
    """
    started = time.perf_counter()
    models = {str(directory): load_method(directory) for directory in directories}
    with ThreadPoolExecutor(workers) as pool:
        _finish(pool, score_under, [(one, models, videos, _SEED, threads) for one in conditions])
    grid = time.perf_counter() - started

    started = time.perf_counter()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, max_tasks_per_child=1) as pool:
        alone = [(one, directory, videos, threads) for one in conditions for directory in directories]
        _finish(pool, _evaluate, alone)
    separate = time.perf_counter() - started
    return GridSpeed(len(conditions), len(directories), grid, separate)


def _evaluate(condition: Condition, directory: Path, videos: Sequence[Video], threads: int) -> None:
    score_under(condition, {"": load_method(directory)}, videos, _SEED, threads)


def _finish(pool: Executor, work: Callable[..., object], calls: Sequence[tuple[object, ...]]) -> None:
    """Make all calls; the first that failed raises what it raised."""
    futures = [pool.submit(work, *call) for call in calls]
    for future in futures:
        future.result()
