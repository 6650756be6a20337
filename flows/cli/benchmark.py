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
    person,
    project,
    session,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`, in the order in which the pipeline runs them."""
    for command in (benchmark, ingest, derive, settings, train, evaluate, report, results):
        app.command(command.__name__.replace("_", "-"))(command)


def benchmark(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Run everything for one dataset: validate, derive, train in parallel, measure, promote, report.

    Finished jobs are not computed again, and interrupted jobs continue where they stopped.

    Example: vad benchmark --dataset campus --method ffp --camera 01
    """
    with orchestrated():
        from flows.benchmark.flow import benchmark as run

        run(dataset, method, camera, seed, session.params)
    results(dataset)


def ingest(dataset: DatasetArgument) -> None:
    """Find the videos and labels of a dataset in data/ (first stage of `dvc repro`).

    Example: vad ingest campus
    """
    from flows.benchmark.stages import ingest as run

    raw = run(project().paths, dataset)
    console.print(f"{dataset}: {len(raw.videos)} videos in the layout {raw.layout}")


def derive(dataset: DatasetArgument) -> None:
    """Decode and resize every video once, into the frame store (a stage of `dvc repro`).

    Example: vad derive campus
    """
    from flows.benchmark.stages import derive as run

    for store in run(project(), dataset):
        console.print(f"{store}")


def settings(dataset: DatasetArgument) -> None:
    """Write the complete settings of each method of the benchmark to settings/DATASET/ (a stage of `dvc repro`).

    Example: vad settings campus
    """
    from flows.benchmark.stages import write_method_settings

    for file in write_method_settings(project(), dataset):
        console.print(f"{file}")


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
        from flows.benchmark.flow import train as run

        run(dataset, method, camera, seed, session.params)


def evaluate(dataset: DatasetArgument) -> None:
    """Write the result table from finished jobs, and promote the best model of each camera.

    Example: vad evaluate campus
    """
    from flows.benchmark.evaluation import evaluate as run

    for promotion in run(project(), dataset, person()):
        console.print(f"{promotion.model} version {promotion.version}: {promotion.reason}")


def report(dataset: DatasetArgument) -> None:
    """Write the report page of a dataset: reports/DATASET/index.html.

    Example: vad report campus
    """
    from flows.benchmark.report import write_report

    console.print(f"{write_report(project(), dataset)}")


def results(dataset: DatasetArgument) -> None:
    """Show the result table of a dataset: methods by deployable AUC, over all cameras, mean over seeds.

    Example: vad results campus
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.tables import read_results
    from flows.results.targets import read_targets
    from flows.results.text_tables import (
        CONTROL_TITLES,
        comparison_rows,
        interval_text,
        number_text,
        target_text,
    )
    from vad_models.evaluation.normalisation import PAPERS

    here = project()
    paths, deployable = here.paths, here.params.evaluation.normalisation
    file = paths.results / f"{dataset}.csv"
    targets = read_targets(paths.results / "targets.csv", dataset)
    title = f"{dataset}: frame-level AUC over all cameras, with its interval; `{deployable}` can be deployed"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for column in ("method", "signal", deployable, PAPERS, *(["target"] if targets else []), "EER"):
        table.add_column(column, no_wrap=column != "method", min_width=15 if column == "method" else None)
    for row in comparison_rows(read_results(file), deployable, targets):
        aucs = [row.auc_under("none" if row.control else deployable), row.auc_under(PAPERS)]
        cells = [CONTROL_TITLES.get(row.method, row.method), row.signal, *map(interval_text, aucs)]
        cells += [target_text(row)] if targets else []
        style = "dim" if row.control else "bold" if row.headline else ""
        table.add_row(*cells, number_text(row.eer, 3), style=style)
    console.print(table)
    page = paths.reports / dataset / "index.html"
    console.print(f"Every camera, signal and normalisation: {file}")
    console.print(
        f"Figures, champions and their quality: {page if page.exists() else f'vad report {dataset}'}"
    )
    console.print("Runs and registered models: `make server`, then http://127.0.0.1:5000")
