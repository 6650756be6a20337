"""Stages of a benchmark as plain functions, which `dvc.yaml`, the command line and the Prefect flow all call."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flows.execution.slots import cores
from flows.project.paths import Paths
from flows.project.project import Project, open_raw
from vad_models.data.files import write_json
from vad_models.data.layouts import RawDataset
from vad_models.data.manifest import read_manifest
from vad_models.data.parallel import progress_bar

__all__ = ["derive", "forget_ingest", "ingest", "write_method_settings"]


def ingest(paths: Paths, dataset: str) -> RawDataset:
    """Find the dataset's videos and labels, and record them.

    The pipeline reads footage through the link `footage`, which Git tracks and this stage creates if it is missing. If
    `data/` itself were a dependency, DVC would stop in a clone without data at "missing data 'source': data", before
    this stage can say how to get some.
    """
    raw = open_raw(paths, dataset)
    with suppress(FileExistsError):
        paths.footage.symlink_to(paths.data.name, target_is_directory=True)
    cameras = sorted({video.camera for video in raw.videos})
    write_json(
        paths.ingest / f"{dataset}.json",
        {
            "dataset": dataset,
            "layout": raw.layout,
            "labels": raw.labels,
            "cameras": cameras,
            "videos": len(raw.videos),
        },
    )
    return raw


def forget_ingest(paths: Paths, dataset: str) -> None:
    """Remove the results of an earlier ingest, so that `dvc repro` reads `data/<dataset>` again."""
    (paths.ingest / f"{dataset}.json").unlink(missing_ok=True)


def write_method_settings(project: Project, dataset: str) -> list[Path]:
    """Write the complete settings of each method of the benchmark on a dataset; returns the files.

    The trainings in `dvc.yaml` depend on these files. The file of a variant has its method's settings with the changes
    applied, and the file of a method that combines others has their settings as well.

    Raises:
        SettingsError: a method is unknown, or does not have the dataset's profile.
    """
    params = project.params
    folder = project.paths.method_settings / dataset
    files = []
    for label in params.benchmark.methods:
        files.append(folder / f"{label}.json")
        write_json(files[-1], params.method_settings(label, params.dataset(dataset).profile))
    return files


def derive(project: Project, dataset: str) -> list[Path]:
    """Decode and resize every video, once per frame size in the settings; returns the folders of the frame stores.

    Raises:
        DataError: the dataset was not validated, a frame cannot be read, or the disk is full.
    """
    from vad_models.data import frame_store

    raw = open_raw(project.paths, dataset)
    manifest = read_manifest(project.paths.validation / dataset / "manifest.parquet")
    stores = []
    for size in project.params.dataset(dataset).frames:
        with progress_bar(f"deriving {dataset} at {size}") as progress:
            out = project.paths.frames / dataset
            stores.append(frame_store.derive(raw, manifest, size, out, cores(), progress))
    return stores
