"""The steps of the benchmark, one command each, and the benchmark as a whole."""

from __future__ import annotations

import typer

from flows.cli.common import (
    CamerasOption,
    DatasetArgument,
    DatasetOption,
    MethodsOption,
    SeedsOption,
    console,
    orchestrated,
    project,
    session,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`, in the order in which the pipeline runs them."""
    for command in (benchmark, ingest, derive, train, evaluate, report):
        app.command(command.__name__)(command)


def benchmark(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Run everything for one dataset: validate, derive, train in parallel, measure, promote, report.

    What is finished is not computed again, and what was interrupted goes on where it stopped.

    Example: vad benchmark --dataset campus --method ffp --camera 01
    """
    with orchestrated():
        from flows.benchmark import benchmark as run

        run(dataset, method, camera, seed, session.root)
    _print_results(dataset)


def ingest(dataset: DatasetArgument) -> None:
    """Find the videos and labels of a dataset in data/ (first stage of `dvc repro`).

    Example: vad ingest campus
    """
    from flows.steps import ingest as run

    raw = run(project().paths, dataset)
    console.print(f"{dataset}: {len(raw.videos)} videos in the layout {raw.layout}")


def derive(dataset: DatasetArgument) -> None:
    """Decode and resize every video once, into the frame store (a stage of `dvc repro`).

    Example: vad derive campus
    """
    from flows.steps import derive as run

    for store in run(project(), dataset):
        console.print(f"{store}")


def train(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Train, score and measure methods on derived frames, in parallel, each as a run in MLflow.

    Example: vad train --dataset campus --method ffp --camera 01 --seed 0
    """
    with orchestrated():
        from flows.benchmark import train as run

        run(dataset, method, camera, seed, session.root)


def evaluate(dataset: DatasetArgument) -> None:
    """Write the result table from finished jobs, and promote the best model of each camera.

    Example: vad evaluate campus
    """
    from flows.evaluation import evaluate as run

    run(project(), dataset)
    _print_results(dataset)


def report(dataset: DatasetArgument) -> None:
    """Write the report page of a dataset: reports/DATASET/index.html.

    Example: vad report campus
    """
    from flows.report import write_report

    console.print(f"{write_report(project().paths, dataset)}")


def _print_results(dataset: str) -> None:
    """The headline rows of the result table."""
    import pandas as pd
    from rich.table import Table

    file = project().paths.results / f"{dataset}.csv"
    results = pd.read_csv(file, dtype={"camera": str})
    headline = results[results["headline"]]
    table = Table(title=f"{dataset}: frame-level AUC, micro, by the headline signal", title_justify="left")
    for column in ("camera", "method", "seed", "signal", "normalisation", "AUC", "interval", "frames"):
        table.add_column(column)
    for row in headline.itertuples():
        interval = f"{row.auc_low:.3f} to {row.auc_high:.3f}"
        cells = (row.camera, row.method, row.seed, row.signal, row.normalisation, f"{row.auc_micro:.3f}", interval, row.frames_scored)
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)
    console.print(f"All signals and normalisations: {file}; the report: {project().paths.reports / dataset / 'index.html'}")
