"""`vad study`: what distortion, contamination, subsampling and another camera do to methods.

Every study in `flows/studies/` is also a command: `vad robustness` is `vad study run robustness`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from flows.cli.common import (
    CamerasOption,
    DatasetOption,
    SeedsOption,
    console,
    orchestrated,
    project,
    session,
)
from flows.studies import load_study, study_descriptions
from vad_models.errors import DataError

__all__ = ["app", "register"]

app = typer.Typer(help="Run a study, or show its results.", no_args_is_help=True)

MethodsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--method", "-m", help="A method; may be repeated. Default: the study's methods in params.yaml."
    ),
]
NameArgument = Annotated[
    str, typer.Argument(help="A study; `vad study list` lists them.", show_default=False)
]


def register(commands: typer.Typer) -> None:
    """Add `study`, and the short names of all studies, to `commands`."""
    commands.add_typer(app, name="study")
    for name, description in study_descriptions().items():
        commands.command(name, help=_help(name, description))(_short(name))


@app.command("list")
def list_studies() -> None:
    """List the studies and what they do.

    Example: vad study list
    """
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, description in study_descriptions().items():
        table.add_row(name, description)
    console.print(table)


@app.command()
def run(
    name: NameArgument,
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Run a study: train missing jobs, measure every cell, write its table and figures.

    Trained jobs and measured cells are kept.

    Example: vad study run robustness --dataset ucsd_ped2 --method decoupled
    """
    load_study(name)  # before the server starts, in case the name is wrong
    with orchestrated():
        from flows.studies.runner import run_study

        run_study(dataset, name, method, camera, seed, session.params)
    show(name, dataset)


@app.command()
def show(name: NameArgument, dataset: DatasetOption) -> None:
    """Show the results of a study, mean over cameras and seeds.

    Example: vad study show robustness --dataset ucsd_ped2
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.tables import read_results
    from flows.studies.drawing import variant_title

    study, paths = load_study(name), project().paths
    results = study.table_file(paths, dataset)
    if not results.exists():
        raise DataError(f"{results} is missing: run `vad {name} --dataset {dataset}` to make it.")
    rows = study.summary.rows(read_results(results))
    table = Table(title=f"{dataset}: {study.summary.title}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("method", "signal", *map(str, rows.columns)):
        table.add_column(column)
    for (method, variant, signal, headline), values in rows.iterrows():
        numbers = ("" if value != value else f"{value:.3f}" for value in values)  # NaN differs from itself
        table.add_row(variant_title(method, variant), signal, *numbers, style="bold" if headline else "")
    console.print(table)
    for file in (*study.table_files(paths, dataset), *study.figure_files(paths, dataset)):
        console.print(f"{file}")


def _short(name: str) -> Callable[..., None]:
    def command(
        dataset: DatasetOption,
        method: MethodsOption = None,
        camera: CamerasOption = None,
        seed: SeedsOption = None,
    ) -> None:
        run(name, dataset, method, camera, seed)

    return command


def _help(name: str, description: str) -> str:
    results = f"results/{name.replace('-', '_')}_DATASET.csv"
    return (
        f"{description}\n\nTrained jobs and measured cells are kept. Writes {results} and figures.\n\n"
        f"Example: vad {name} --dataset ucsd_ped2 --method decoupled"
    )
