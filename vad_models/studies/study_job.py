"""Jobs of studies: plain jobs that are trained on other video, in folders that no benchmark lists."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from vad_models.data.frame_store import FrameStore
from vad_models.jobs.job import Job
from vad_models.methods import build_method

__all__ = ["StudyJob", "longest_sequence"]


class StudyJob(Job):
    """A training of one cell of a study; what its fields add to the plain job's is in the fingerprint."""

    study: ClassVar[str]
    """Name of the study."""

    @property
    def cell(self) -> str:
        """Name of the cell, fit for a folder."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """Readable name: `decoupled/01/seed0/runs-50`."""
        return f"{super().title}/{self.cell}"

    def directory(self, runs: Path) -> Path:
        """Return the job's folder, apart from plain jobs, which are listed, compared and promoted."""
        cell = f"{self.study}-{self.cell}"
        return runs / "studies" / self.dataset / cell / self.label / self.camera / f"seed{self.seed}"

    @classmethod
    def of(cls, job: Job, **facts: object) -> Self:
        """The plain job `job`, with the fields of this class."""
        return cls.model_validate({**job.model_dump(), **facts})


def longest_sequence(job: Job, store: FrameStore) -> int:
    """Consecutive frames that the job's method needs to be trained on at least, in any of its phases."""
    method = build_method(job.method, job.settings, store.size)
    return max((phase.sequence for phase in method.phases().values()), default=0)
