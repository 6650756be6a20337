"""What a process does before it ends because it is told to: it gives back what it holds, and says what it leaves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["at_end", "end"]

_GRACE_SECONDS = 5
"""For all that has to be done; whoever told the process to end kills it after a while."""

_acts: list[Callable[[], None]] = []


@contextmanager
def at_end(act: Callable[[], None]) -> Iterator[None]:
    """Have `end` call `act` if it ends this process while the block runs.

    `act` is called in a thread of its own, while the block stands still wherever it was: it must take no lock that the
    block may hold, and it is given up after a few seconds.
    """
    _acts.append(act)
    try:
        yield
    finally:
        _acts.remove(act)


def end(status: int) -> NoReturn:
    """End this process after all acts are done, or given up. For signal handlers: nothing is unwound."""
    threads = [threading.Thread(target=act, daemon=True) for act in list(_acts)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _GRACE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    os._exit(status)
