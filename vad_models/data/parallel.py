"""Parallel work on many videos: one process per video, results in order, and a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vad_models.errors import DataError

__all__ = ["ReportProgress", "map_videos", "progress_bar"]

ReportProgress = Callable[[int, int], None]
"""Function that is called with (units done, units in total); units are frames, or bytes for a copy."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def progress_bar(title: str) -> Iterator[ReportProgress]:
    """Show a bar on stderr while the block runs; silent if stderr is not a terminal."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def map_videos(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    sizes: Sequence[int],
    workers: int,
    progress: ReportProgress | None = None,
) -> list[_Result]:
    """Compute `[function(item) for item in items]` in several processes.

    Args:
        function: a module-level function; it and the items are sent to new processes.
        items: items to work on.
        sizes: frames of each item. The largest items start first, so that no process ends long after the others.
        workers: number of processes; 1 works in this process.
        progress: called with the frames done whenever an item is finished.

    Raises:
        DataError: a process was killed from outside, for example because memory ran out.
        Exception: the first exception that `function` raises; items that have not started are dropped.
    """
    order = sorted(range(len(items)), key=lambda i: -sizes[i])
    results: dict[int, _Result] = {}
    done, total = 0, sum(sizes)

    def keep(index: int, result: _Result) -> None:
        nonlocal done
        results[index] = result
        done += sizes[index]
        if progress is not None:
            progress(done, total)

    if workers <= 1 or len(items) <= 1:
        for index in order:
            keep(index, function(items[index]))
    else:
        # spawn: a fork of a process that runs threads (torch, a server) can hang.
        processes = min(workers, len(items))
        with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker) as pool:
            futures = {pool.submit(function, items[index]): index for index in order}
            try:
                for future in as_completed(futures):
                    keep(futures[future], future.result())
            except BrokenProcessPool:
                raise DataError("a worker process was killed (out of memory?): use fewer workers.") from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    return [results[index] for index in range(len(items))]


def _start_worker() -> None:
    cv2.setNumThreads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent is killed; otherwise it would wait for ever, or write during the next run."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
