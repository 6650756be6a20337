"""`vad data`: get footage into `data/`, and check it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DatasetArgument, console, project, session

if TYPE_CHECKING:
    from vad_models.data.importing import SummaryRow
    from vad_models.data.layouts import RawDataset

__all__ = ["app"]

app = typer.Typer(help="Import footage, make the embedded campus, check a dataset.", no_args_is_help=True)


@app.command("import")
def import_footage(
    path: Annotated[
        Path, typer.Argument(help="Folder of the dataset, as it was published.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="Name in data/. Default: the folder's.", show_default=False)
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Layout, if it is not recognised.", show_default=False)
    ] = None,
) -> None:
    """Copy footage into data/, and compare what was found with what is known about the dataset.

    Example: vad data import ~/footage/ped2 --name ucsd_ped2
    """
    from flows.benchmark.stages import forget_ingest
    from vad_models.data.importing import import_dataset, summary
    from vad_models.data.parallel import progress_bar

    paths = project().paths
    name = name or path.resolve().name
    with progress_bar(f"importing {name}") as progress:
        raw = import_dataset(path, paths.data, name, layout, progress)
    forget_ingest(paths, name)
    _print_summary(raw, summary(raw))
    _enlist(name)


@app.command("synth")
def synthesise(
    what: Annotated[str, typer.Argument(help="`campus`, the only one.")] = "campus",
    cameras: Annotated[
        int, typer.Option(help="Number of cameras, each with its own viewpoint.", min=1, max=13)
    ] = 3,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal bytes.")] = 7,
) -> None:
    """Make the embedded synthetic campus in data/campus, in ShanghaiTech's official layout.

    Three cameras with seed 7 are what data.dvc pins; `vad data verify campus` says whether yours are the same.

    Example: vad data synth campus --cameras 3 --seed 7
    """
    from flows.benchmark.stages import forget_ingest
    from flows.execution.slots import cores
    from flows.project.project import open_raw
    from vad_models.data.parallel import progress_bar
    from vad_models.data.synth.campus import generate_campus
    from vad_models.errors import SettingsError

    if what != "campus":
        raise SettingsError(f"there is no synthetic footage {what!r}: campus is the only one.")
    paths = project().paths
    with progress_bar("making campus") as progress:
        generate_campus(paths.data / "campus", cameras=cameras, seed=seed, workers=cores(), progress=progress)
    forget_ingest(paths, "campus")
    raw = open_raw(paths, "campus")
    console.print(f"data/campus: {cameras} cameras, {len(raw.videos)} videos, seed {seed}")
    _enlist("campus")


@app.command("verify")
def verify_dataset(dataset: DatasetArgument) -> None:
    """Check that the footage in data/ is, byte for byte, the version that data.dvc pins.

    Example: vad data verify campus
    """
    from flows.project.datasets import prove_dataset

    prove_dataset(session.root, dataset)
    console.print(f"data/{dataset} is, byte for byte, the version that data.dvc pins.")


@app.command("validate")
def validate_dataset(dataset: DatasetArgument) -> None:
    """Decode a whole dataset and check it: unreadable frames, labels, counts. Writes data docs (HTML).

    Example: vad data validate campus
    """
    from flows.benchmark.validation import validate

    paths = project().paths
    validate(paths, dataset)
    console.print(f"{dataset} keeps every rule: {paths.validation / dataset / 'docs' / 'index.html'}")


def _print_summary(raw: RawDataset, rows: Sequence[SummaryRow]) -> None:
    from rich.table import Table

    signs = {None: "", True: "[green]as published[/]", False: "[yellow]differs[/]"}
    table = Table(title=f"data/{raw.name}, layout {raw.layout}, labels {raw.labels}", title_justify="left")
    for column in ("", "found", "published", ""):
        table.add_column(column, justify="right" if column else "left")
    for row in rows:
        table.add_row(row.what, row.found, row.expected, signs[row.ok])
    console.print(table)


def _enlist(name: str) -> None:
    """Add a new dataset to the lists of `dvc repro` and DVC, and say so."""
    from flows.project.datasets import list_dataset, track_dataset

    for other in list_dataset(session.params, name):
        console.print(
            f"{session.params}: removed {other} from benchmark.datasets; it has no folder in data/."
        )
    said = f"`dvc repro` now runs {name}"
    if track_dataset(session.root, name):
        said += "; `dvc commit --force data.dvc` records this version of the footage"
    console.print(f"{said}.")
