"""The lists of datasets: `benchmark.datasets` in `params.yaml`, which `dvc repro` runs, and `data.dvc`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from vad_models.data.files import atomic_path
from vad_models.errors import DataError

__all__ = ["list_dataset", "prove_dataset", "track_dataset"]


_DVC_SECONDS = 600
"""Time limit of a DVC command; it hashes the footage once."""


def list_dataset(settings: Path, name: str) -> list[str]:
    """Add dataset `name` to the list and remove datasets without a folder in `data/`; returns those removed.

    Comments and the order of the file are kept.

    Args:
        settings: `params.yaml`, or the file that replaces it; `data/` is next to it.
        name: of the dataset.
    """
    params = _yaml().load(settings.read_text(encoding="utf-8"))
    listed = params["benchmark"]["datasets"]
    dropped = [other for other in listed if other != name and not (settings.parent / "data" / other).is_dir()]
    for other in dropped:
        listed.remove(other)
    if name not in listed:
        listed.append(name)
    elif not dropped:
        return []
    _write(params, settings)
    return dropped


def track_dataset(root: Path, name: str) -> bool:
    """List `data/NAME` in `data.dvc`, one output per dataset; returns whether it was added.

    `dvc commit --force data.dvc` then records its current version. With a single output for all of `data/`, the version
    of the campus would change as soon as somebody imports another dataset.
    """
    file = root / "data.dvc"
    tracked = _yaml().load(file.read_text(encoding="utf-8")) if file.exists() else {"outs": []}
    path = f"data/{name}"
    if any(out["path"] == path for out in tracked["outs"]):
        return False
    tracked["outs"].append({"path": path})
    _write(tracked, file)
    return True


def prove_dataset(root: Path, name: str) -> None:
    """Check that `data/NAME` is the version that `data.dvc` pins; it need not be in DVC's cache.

    Raises:
        DataError: `data.dvc` does not pin the dataset, or its footage differs from the pinned version.
    """
    path = f"data/{name}"
    file = root / "data.dvc"
    tracked = _yaml().load(file.read_text(encoding="utf-8")) if file.exists() else {"outs": []}
    if not any(out["path"] == path and "md5" in out for out in tracked["outs"]):
        raise DataError(f"data.dvc pins no version of {path}: record one with `dvc commit --force data.dvc`.")
    command = [sys.executable, "-m", "dvc", "data", "status", "--json"]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=_DVC_SECONDS, check=False
    )
    if done.returncode != 0:
        raise DataError(
            f"DVC could not determine the version of {path} ({' '.join(done.stderr.split())}): run `dvc doctor`."
        )
    changed = [one for group in json.loads(done.stdout).get("uncommitted", {}).values() for one in group]
    if any(f"{one.rstrip('/')}/".startswith(f"{path}/") for one in changed):
        raise DataError(
            f"{path} differs from the footage that data.dvc pins: remove the folder and make or pull it again."
        )


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # keeps long lines whole
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _write(content: object, file: Path) -> None:
    with atomic_path(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        _yaml().dump(content, stream)
