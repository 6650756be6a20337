"""Files that are whole or absent: write to a temporary name, then rename; a full disk is one sentence."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vad_models.errors import DataError

__all__ = ["atomic_path", "explain_write_errors", "remove_partials", "require_space", "write_json"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MEGABYTE = 1_000_000


@contextmanager
def atomic_path(path: Path, size: int | None = None) -> Iterator[Path]:
    """A temporary sibling of `path` to write to; it becomes `path` when the block ends, or is removed.

    The temporary name keeps the suffix of `path` (some writers look at it), starts with a dot and holds
    `.partial`. Missing parent folders are made.

    Args:
        path: the file to make or replace.
        size: bytes that will be written, where known; named in the sentence about a full disk.

    Raises:
        DataError: the disk is full, or the folder may not be written to.
    """
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    with explain_write_errors(path, size):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explain_write_errors(path: Path, size: int | None = None) -> Iterator[None]:
    """Turn errors about a full or forbidden disk, met in this block, into a DataError about `path`."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        # Writers outside Python (safetensors) raise errors of their own, and only their text tells.
        if number in _FULL or "No space left on device" in str(error):
            raise DataError(_full(path, size)) from error
        if number in _FORBIDDEN and str(getattr(error, "filename", "")).startswith(str(path.parent)):
            raise DataError(f"{path} may not be written: change the permissions of its folder.") from error
        raise


def require_space(path: Path, size: int) -> None:
    """Raise the DataError about a full disk before work begins, when `size` bytes have no room."""
    if size > shutil.disk_usage(_existing_folder(path)).free:
        raise DataError(_full(path, size))


def _full(path: Path, size: int | None) -> str:
    free = shutil.disk_usage(_existing_folder(path)).free
    room = f"{free / _MEGABYTE:.0f} MB are free"
    if size is None:
        return (
            f"the disk or its quota is full: {path} could not be written ({room}); free some and run again."
        )
    lacking = max(1, math.ceil((size - free) / _MEGABYTE))
    needs = f"{path} takes {size / _MEGABYTE:.0f} MB and {room}"
    return f"the disk or its quota is full: {needs}; free {lacking} MB or more and run again."


def _existing_folder(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def _flush_to_disk(path: Path) -> None:
    """A rename may reach the disk before the bytes: a power cut would leave an empty, whole-looking file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path) -> None:
    """Remove, below `folder`, the temporary files that a killed job left behind."""
    for leftover in folder.rglob(".*.partial*"):
        leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
