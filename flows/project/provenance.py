"""Provenance of numbers: the commit of the code and DVC's version of the data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from flows.project.paths import Paths
from vad_models.data.files import write_json
from vad_models.jobs.directory import JobDirectory

__all__ = ["data_version", "git_commit", "read_provenance", "record_provenance"]

UNTRACKED = "untracked"
"""Stands for the version of code outside Git and of data outside DVC."""

SOURCES = ("flows", "vad_models", "params.yaml", "params", "pyproject.toml", "data.dvc")
"""The files that determine a number. Unlike result tables and dvc.lock, they do not change while a pipeline runs.
"""


def git_commit(paths: Paths) -> str:
    """Return the hash of the current commit, with `-dirty` if sources differ from it; `untracked` outside Git."""
    try:
        commit = _git(paths, "rev-parse", "HEAD")
        changed = _git(paths, "status", "--porcelain", "--", *SOURCES, paths.settings_name)
        return f"{commit}-dirty" if changed else commit
    except (OSError, subprocess.CalledProcessError):
        return UNTRACKED


def _git(paths: Paths, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=paths.root, check=True, capture_output=True, text=True).stdout.strip()


def data_version(paths: Paths, dataset: str) -> str:
    """Return DVC's hash of `data/<dataset>`, or `untracked` if there is none.

    `data.dvc` pins `data/<dataset>`, and `dvc.lock` records what the pipeline's stages have read, as
    `footage/<dataset>`. If they differ, the file that was written last is right: either the footage was pinned since,
    or it was changed and read since. Both are parsed as plain YAML, because importing dvc takes seconds.
    """
    files = [file for file in (paths.root / "data.dvc", paths.root / "dvc.lock") if file.exists()]
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        entries = content.get("outs", [])
        entries += [entry for stage in content.get("stages", {}).values() for entry in stage.get("deps", [])]
        for entry in entries:
            if entry["path"].rstrip("/") in (f"footage/{dataset}", f"data/{dataset}") and "md5" in entry:
                return str(entry["md5"])
    return UNTRACKED


def record_provenance(paths: Paths, dataset: str, directory: Path) -> dict[str, str]:
    """Record the commit and DVC's version of the data from which a job was just computed.

    The file is not replaced when the job is used again: a job keeps the provenance that it was computed with.
    """
    file = JobDirectory(directory).provenance
    if not file.exists():
        write_json(file, {"git_commit": git_commit(paths), "data_version": data_version(paths, dataset)})
    return read_provenance(directory)


def read_provenance(directory: Path) -> dict[str, str]:
    """Return the provenance of a job; `untracked` if none was recorded."""
    file = JobDirectory(directory).provenance
    recorded: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {key: recorded.get(key, UNTRACKED) for key in ("git_commit", "data_version")}
