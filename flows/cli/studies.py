"""The studies, one command each: what distortion, contamination, subsampling and another camera do to methods."""

from __future__ import annotations

import typer

from flows.cli.common import (
    CamerasOption,
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
    """Add the commands of this module to `app`."""
    for command in (robustness, contamination, subsampling, cross_camera):
        app.command(command.__name__.replace("_", "-"))(command)


def robustness(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Score trained methods on distorted test video: brightness x rain, and further distortions by severity.

    What is measured already is not measured again. Writes results/robustness_DATASET.csv and its figures.

    Example: vad robustness --dataset ucsd_ped2 --method decoupled --method conv_ae
    """
    with orchestrated():
        from flows.studies.robustness import robustness as run

        run(dataset, method, camera, seed, session.params)
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.heat_maps import variant_title
    from flows.results.tables import read_results
    from flows.studies.robustness_results import degradation

    file = project().paths.results / f"robustness_{dataset}.csv"
    table = Table(
        title=f"{dataset}: micro AUC, per video, clean and distorted", title_justify="left", box=SIMPLE_HEAD
    )
    for column in ("method", "signal", "clean", "distorted", "loses", "errors / conv_ae"):
        table.add_column(column)
    for row in degradation(read_results(file), "per_video").itertuples():
        name = variant_title(row.method, row.variant)
        numbers = (
            f"{value:.3f}" for value in (row.clean, row.distorted, row.degradation, row.corruption_error)
        )
        table.add_row(name, row.signal, *numbers, style="bold" if row.headline else "")
    console.print(table)
    console.print(f"Every cell: {file}; figures: {project().paths.plots / dataset / 'robustness'}")


def contamination(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Train methods on normal video with more and more abnormal frames in it, and score them.

    What is measured already is not measured again. Writes results/contamination_DATASET.csv and a figure.

    Example: vad contamination --dataset ucsd_ped2 --method decoupled --method conv_ae
    """
    with orchestrated():
        from flows.studies.contamination import contamination as run

        run(dataset, method, camera, seed, session.params)
    _show(dataset, "contamination", "count", "abnormal frames in training")


def subsampling(
    dataset: DatasetOption,
    method: MethodsOption = None,
    camera: CamerasOption = None,
    seed: SeedsOption = None,
) -> None:
    """Train and score methods on every d-th frame, and say what an hour of video then costs.

    What is measured already is not measured again. Writes results/subsampling_DATASET.csv and a figure.

    Example: vad subsampling --dataset ucsd_ped2 --method decoupled --method conv_ae
    """
    with orchestrated():
        from flows.studies.subsampling import subsampling as run

        run(dataset, method, camera, seed, session.params)
    _show(dataset, "subsampling", "step", "every d-th frame")


def cross_camera(dataset: DatasetOption, method: MethodsOption = None, seed: SeedsOption = None) -> None:
    """Score every camera with the model of every other, and with one model of all cameras.

    Writes results/cross_camera_DATASET.csv and a figure with a matrix a method.

    Example: vad cross-camera --dataset campus --method decoupled
    """
    with orchestrated():
        from flows.studies.cross_camera import cross_camera as run

        run(dataset, method, seed, session.params)
    paths = project().paths
    console.print(
        f"{paths.results / f'cross_camera_{dataset}.csv'}\n{paths.plots / dataset / 'cross_camera.png'}"
    )


def _show(dataset: str, study: str, cell: str, title: str) -> None:
    """Print the AUCs of a study, mean over cameras and seeds: a row a method and signal, a column a cell."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.heat_maps import variant_title
    from flows.results.tables import read_results

    paths = project().paths
    file = paths.results / f"{study}_{dataset}.csv"
    results = read_results(file)
    means = results[(results["seed"] == "all") & (results["normalisation"] == "per_video")]
    cells = list(dict.fromkeys(means[cell]))
    table = Table(title=f"{dataset}: micro AUC, per video, by {title}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("method", "signal", *map(str, cells)):
        table.add_column(column)
    for (method, variant, signal, headline), rows in means.groupby(
        ["method", "variant", "signal", "headline"], sort=False
    ):
        auc = rows.groupby(cell)["auc_micro"].mean()
        numbers = (f"{auc[one]:.3f}" if one in auc else "" for one in cells)
        name = variant_title(method, variant)
        table.add_row(name, signal, *numbers, style="bold" if headline else "")
    console.print(table)
    console.print(f"Every cell: {file}; figure: {paths.plots / dataset / f'{study}.png'}")
