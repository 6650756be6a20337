"""One process at a time, among all that share the project's folder: two commands, or the workers of several machines.

A lock is one on a file, which the kernel takes back when its holder dies, however it dies; NFS 4 does that across
machines. Leases on Prefect's server (`flows.execution.leases`) would outlive their holder by a minute, and two
commands that each bring a server of their own would not see each other's.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flows.project.paths import Paths

__all__ = ["alone"]

log = logging.getLogger(__name__)


@contextmanager
def alone(paths: Paths, what: str) -> Iterator[None]:
    """Do `what`, such as `runs/campus/ffp/01/seed0`, while no other process does; waits as long as one does.

    What the other has done has to be looked at inside the block. The lock is not one to take twice.
    """
    file = paths.locks / f"{what}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process is at it; waiting until it is done.", what)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
