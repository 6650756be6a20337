"""Work on many videos: one process a video, results in order, and a progress bar."""

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
"""Called with (units done, units in all); units are frames, or bytes for a copy."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def progress_bar(title: str) -> Iterator[ReportProgress]:
    """A bar on stderr while the block runs; silent when stderr is no terminal."""
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
    """`[function(item) for item in items]`, by `workers` processes; with one worker in this process.

    Args:
        function: a module-level function; it and the items travel to fresh processes.
        items: what to work on.
        sizes: frames of each item: the largest go first, so that no process ends long after the others.
        workers: number of processes.
        progress: told about the frames done whenever an item is.

    Raises:
        DataError: a process was killed from outside, as when memory runs out.
        Exception: the first one that `function` raises; items not yet begun are dropped.
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
    """A worker of a killed parent would wait for work for ever, and write on while the next run begins."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
