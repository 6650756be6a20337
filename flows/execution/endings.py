"""Clean-up before a process ends because of a signal: it releases what it holds and records what is unfinished."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["at_end", "end"]

_GRACE_SECONDS = 5
"""Time limit for all clean-up together; whoever sent the signal kills the process after a while."""

_acts: list[Callable[[], None]] = []


@contextmanager
def at_end(act: Callable[[], None]) -> Iterator[None]:
    """Register `act` as clean-up: `end` calls it if it ends this process while the block runs.

    `act` runs in its own thread while the block is suspended at an arbitrary point. It must not take a lock that the
    block may hold, and it is abandoned after a few seconds.
    """
    _acts.append(act)
    try:
        yield
    finally:
        _acts.remove(act)


def end(status: int) -> NoReturn:
    """End this process when all clean-up is done or abandoned. For signal handlers: the stack is not unwound."""
    threads = [threading.Thread(target=act, daemon=True) for act in list(_acts)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _GRACE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    os._exit(status)
