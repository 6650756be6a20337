"""The paths of everything under the root of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Paths"]


@dataclass(frozen=True)
class Paths:
    """The folders of one checkout. Nothing is created here: whoever writes a file creates its folder."""

    root: Path
    """The folder that holds `params.yaml`."""
    settings_name: str = "params.yaml"
    """Name of the settings file in `root`; `vad --params` can choose another one."""

    @property
    def settings(self) -> Path:
        """The settings file; the settings of the methods are in `params/methods/` next to it."""
        return self.root / self.settings_name

    @property
    def program(self) -> str:
        """The first words of a command of this project: `vad`, with `--params` if the file is not `params.yaml`."""
        return "vad" if self.settings_name == "params.yaml" else f"vad --params {self.settings_name}"

    @property
    def method_settings(self) -> Path:
        """Settings of each method of the benchmark on each dataset, `settings/<dataset>/<method>.json`."""
        return self.root / "settings"

    @property
    def data(self) -> Path:
        """Raw footage, one folder per dataset, tracked by `data.dvc`."""
        return self.root / "data"

    @property
    def footage(self) -> Path:
        """A link to `data`, through which the stages of `dvc.yaml` see it."""
        return self.root / "footage"

    @property
    def ingest(self) -> Path:
        """Results of ingest, one JSON file per dataset."""
        return self.root / "ingest"

    @property
    def validation(self) -> Path:
        """Raw manifest, report and data docs, one folder per dataset."""
        return self.root / "validation"

    @property
    def frames(self) -> Path:
        """Frame stores, `<dataset>/<HxWxC>/`."""
        return self.root / "frames"

    def store(self, dataset: str, size: str) -> Path:
        """The frame store of a dataset at a frame size, `HxWxC`."""
        return self.frames / dataset / size

    @property
    def features(self) -> Path:
        """Features of fixed backbones, `<backbone>/<digest of a video>/`."""
        return self.root / "features"

    @property
    def runs(self) -> Path:
        """Job directories, `<dataset>/<method>/<camera>/seed<k>/`."""
        return self.root / "runs"

    @property
    def grids(self) -> Path:
        """Measured cells of studies, `<study>/<dataset>/`."""
        return self.root / "grids"

    @property
    def trials(self) -> Path:
        """The settings that have been tried: `optuna.db`."""
        return self.root / "trials"

    @property
    def results(self) -> Path:
        """Versioned result tables, one CSV file per dataset."""
        return self.root / "results"

    @property
    def metrics(self) -> Path:
        """The numbers that `dvc metrics` shows, one JSON file per dataset."""
        return self.root / "metrics"

    @property
    def plots(self) -> Path:
        """The points that `dvc plots` draws, one folder per dataset."""
        return self.root / "plots"

    @property
    def reports(self) -> Path:
        """Report pages, `<dataset>/index.html`."""
        return self.root / "reports"

    @property
    def tracking(self) -> Path:
        """MLflow's local store: `mlflow.db` and `artifacts/`."""
        return self.root / "mlflow" / "store"

    @property
    def locks(self) -> Path:
        """Lock files of `flows.execution.locks`."""
        return self.root / ".locks"

    @property
    def team(self) -> Path:
        """Files of the team's servers: databases, the S3 store, logs and credentials."""
        return self.root / ".team"
