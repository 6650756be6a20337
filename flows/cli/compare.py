"""`vad compare`: a metric of all finished jobs in MLflow, grouped by tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DatasetOption, console, project

if TYPE_CHECKING:
    from flows.tracking.comparison import Comparison

__all__ = ["compare"]


def compare(
    dataset: DatasetOption,
    by: Annotated[
        str,
        typer.Option(
            help="Tags to group by, separated by commas: method, variant, camera, seed, profile, ..."
        ),
    ] = "method",
    metric: Annotated[
        str, typer.Option(help="A metric of the runs, such as eer, fps_score or auc_micro/SIGNAL/per_video.")
    ] = "auc",
) -> None:
    """Compare finished jobs by their runs in MLflow: mean of a metric, number of runs, and spread over the runs.

    The default, `auc`, is the deployable headline AUC; the AUC as papers report it is shown next to it.

    Example: vad compare --dataset campus --by method,camera
    """
    from flows.tracking.comparison import compare as run

    paths = project().paths
    keys = [key.strip() for key in by.split(",") if key.strip()]
    comparison = run(paths, dataset, keys, metric)
    _print(f"{dataset}: {metric}", keys, comparison)
    console.print(_said(comparison))


def _print(title: str, keys: list[str], comparison: Comparison) -> None:
    """Print one row per group; a key that equals that of the row above is not repeated."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.text_tables import number_text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for key in keys:
        table.add_column(key, overflow="fold")
    numbers = {"mean": "mean", **({"papers": "papers'"} if "papers" in comparison.table else {})}
    for column in (*numbers.values(), "n", "spread", "min", "max"):
        table.add_column(column, justify="right", no_wrap=True)
    above: list[str] = []
    for row in comparison.table.to_dict("records"):
        names = [str(row[key]) for key in keys]
        shared = next(
            (at for at, pair in enumerate(zip(names, above, strict=False)) if pair[0] != pair[1]), 0
        )
        means = [number_text(row[name], 4) for name in numbers]
        spread, low, high = (number_text(row[name], 4) for name in ("spread", "low", "high"))
        table.add_row(*[""] * shared, *names[shared:], *means, str(row["n"]), spread, low, high)
        above = names
    console.print(table)


def _said(comparison: Comparison) -> str:
    """Say which runs are included, and where to find the same table on MLflow's page."""
    counted = f"{comparison.runs} finished run(s); spread is their standard deviation."
    if comparison.without:
        counted += f" {comparison.without} run(s) have no such metric."
    if comparison.older:
        counted += f" {comparison.older} older run(s) of the same jobs are left out."
    page = f"#/experiments/{comparison.experiment}"
    return f"{counted}\nOn MLflow's page (`make server`, {page}): Group by > Tags."
