"""The steps of a benchmark as plain functions: what `dvc.yaml`, the command line and the Prefect flow all call."""

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
    """Find the dataset's videos and labels, and write down what was found.

    The pipeline sees footage through the link `footage`, which git keeps and this step makes where it is missing: were
    `data/` itself a dependency of a stage, DVC would stop on a clone without data at "missing data 'source': data",
    before this step can say how to get some.
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
    """Remove what an earlier ingest wrote, so that `dvc repro` looks at `data/<dataset>` anew."""
    (paths.ingest / f"{dataset}.json").unlink(missing_ok=True)


def write_method_settings(project: Project, dataset: str) -> list[Path]:
    """Write the settings that each method of the benchmark has on a dataset, complete; returns the files.

    It is what a training depends on in `dvc.yaml`: of a variant, what the changes make of its method's settings; of a
    method that combines others, theirs as well.

    Raises:
        SettingsError: a method is not known, or does not have the dataset's profile.
    """
    params = project.params
    folder = project.paths.method_settings / dataset
    files = []
    for label in params.benchmark.methods:
        files.append(folder / f"{label}.json")
        write_json(files[-1], params.method_settings(label, params.dataset(dataset).profile))
    return files


def derive(project: Project, dataset: str) -> list[Path]:
    """Decode and resize every video, once for each frame size in the settings; returns the frame stores' folders.

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
