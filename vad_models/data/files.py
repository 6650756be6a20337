"""Files that are whole or absent: written under a temporary name, then renamed. A full disk is a one-sentence error."""

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
    """Yield a temporary path to write to, which is renamed to `path` when the block ends, or removed if it fails.

    The temporary name keeps the suffix of `path` (some writers look at it), starts with a dot and contains `.partial`.
    Missing parent folders are created.

    Args:
        path: the file to create or replace.
        size: number of bytes that will be written; None if unknown. The error about a full disk names it.

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
    """Turn errors about a full disk or missing permissions in this block into a DataError about `path`."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        # Writers outside Python (safetensors) raise their own errors, which only the text identifies.
        if number in _FULL or "No space left on device" in str(error):
            raise DataError(_full(path, size)) from error
        if number in _FORBIDDEN and str(getattr(error, "filename", "")).startswith(str(path.parent)):
            raise DataError(f"{path} may not be written: change the permissions of its folder.") from error
        raise


def require_space(path: Path, size: int) -> None:
    """Check, before work begins, that `size` bytes fit on the disk.

    Raises:
        DataError: they do not fit.
    """
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
    """Flush a file to disk. Otherwise its new name may get there before its bytes, and a power cut leave it empty."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path) -> None:
    """Remove the temporary files that a killed job left below `folder`."""
    for leftover in folder.rglob(".*.partial*"):
        leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
