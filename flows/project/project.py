"""A project: a checkout, where everything lies in it, and its settings."""

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
    """A checkout: where everything lies, and its settings."""

    paths: Paths
    params: Params

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project in a folder.

        Args:
            root: the folder, with the settings in `params.yaml`; or another file of settings in it.

        Raises:
            SettingsError: a file of settings is missing or holds a setting that is not allowed.
        """
        paths = Paths(root) if root.is_dir() else Paths(root.parent, root.name)
        return cls(paths, load_params(paths.settings))

    def store(self, job: Job) -> FrameStore:
        """The frame store that a job reads.

        Raises:
            DataError: the dataset is not derived at the job's frame size.
        """
        return self.store_of(job.dataset, job.frames)

    def store_of(self, dataset: str, size: str) -> FrameStore:
        """The frame store of a dataset at a frame size, `HxWxC`.

        Raises:
            DataError: the dataset is not derived at that size.
        """
        from vad_models.data.frame_store import FrameStore

        return FrameStore(self.paths.store(dataset, size))

    def directory(self, job: Job) -> Path:
        """The folder that holds a job's files."""
        return job.directory(self.paths.runs)

    def files(self, job: Job) -> JobDirectory:
        """The files in that folder."""
        from vad_models.jobs.directory import JobDirectory

        return JobDirectory(self.directory(job))


def open_raw(paths: Paths, dataset: str) -> RawDataset:
    """The dataset as it lies in `data/`.

    Raises:
        DataError: it is not there, or not in its layout.
    """
    folder = paths.data / dataset
    if not folder.is_dir():
        present = [one.name for one in sorted(paths.data.glob("*")) if one.is_dir()]
        if near := get_close_matches(dataset, present):
            raise DataError(f"there is no data/{dataset}: did you mean {' or '.join(near)}?")
        raise DataError(
            f"there is no data/{dataset}: make the embedded footage with `vad data synth campus --cameras 3 --seed 7`, "
            f"pull what others pushed with `dvc pull`, or import your own with `vad data import PATH --name {dataset}`."
        )
    return open_dataset(folder, dataset)
