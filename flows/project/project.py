"""A project: the paths and the settings of a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from flows.project.paths import Paths
from vad_models.data.layouts import RawDataset, open_dataset
from vad_models.errors import DataError
from vad_models.settings import Params, load_params

if TYPE_CHECKING:
    from vad_models.data.frame_store import FrameStore
    from vad_models.jobs.directory import JobDirectory
    from vad_models.jobs.job import Job

__all__ = ["Project", "open_raw"]


@dataclass(frozen=True)
class Project:
    """A checkout: its paths and its settings."""

    paths: Paths
    params: Params

    @classmethod
    def at(cls, root: Path) -> Project:
        """Open the project in a folder.

        Args:
            root: the folder, whose settings are in `params.yaml`; or another settings file in it.

        Raises:
            SettingsError: a settings file is missing or holds a setting that is not allowed.
        """
        paths = Paths(root) if root.is_dir() else Paths(root.parent, root.name)
        return cls(paths, load_params(paths.settings))

    def store(self, job: Job) -> FrameStore:
        """Open the frame store that a job reads.

        Raises:
            DataError: the dataset is not derived at the job's frame size.
        """
        return self.store_of(job.dataset, job.frames)

    def store_of(self, dataset: str, size: str) -> FrameStore:
        """Open the frame store of a dataset at a frame size, `HxWxC`.

        Raises:
            DataError: the dataset is not derived at that size.
        """
        from vad_models.data.frame_store import FrameStore

        return FrameStore(self.paths.store(dataset, size))

    def directory(self, job: Job) -> Path:
        """Return the folder of a job."""
        return job.directory(self.paths.runs)

    def files(self, job: Job) -> JobDirectory:
        """Return the files in the folder of a job."""
        from vad_models.jobs.directory import JobDirectory

        return JobDirectory(self.directory(job))


def open_raw(paths: Paths, dataset: str) -> RawDataset:
    """Open the raw footage of a dataset in `data/`.

    Raises:
        DataError: the dataset is missing, or not in a known layout.
    """
    folder = paths.data / dataset
    if not folder.is_dir():
        present = [one.name for one in sorted(paths.data.glob("*")) if one.is_dir()]
        if near := get_close_matches(dataset, present):
            raise DataError(f"there is no data/{dataset}: did you mean {' or '.join(near)}?")
        raise DataError(
            f"there is no data/{dataset}: make the embedded footage with `vad data synth campus --cameras 3 --seed 7`, "
            f"pull shared footage with `dvc pull`, or import your own with `vad data import PATH --name {dataset}`."
        )
    return open_dataset(folder, dataset)
