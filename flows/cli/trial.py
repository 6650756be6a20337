"""`vad trial`: choose a method's settings without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DatasetOption, console, project

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["trial"]


def trial(
    method: Annotated[str, typer.Argument(help="A method or variant.", show_default=False)],
    dataset: DatasetOption,
    camera: Annotated[
        str | None, typer.Option("--camera", "-c", help="A camera. Default: the first.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, key=value or group.key=value; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of everything random in training.")] = 0,
    held_out: Annotated[int, typer.Option(help="One of so many normal videos is held out.", min=2)] = 4,
) -> None:
    """Train on some normal video, and see which anomalies pasted into the rest the method tells apart.

    No label and no test video is looked at. Frame differencing, which learns nothing, stands beside it.

    Example: vad trial conv_ae --dataset ucsd_ped2 --set clip=4 --set training.epochs=5
    """
    from flows.trials.trial import log_trial, plan_trial, run_trial

    here = project()
    changes = settings or []
    job = plan_trial(here, dataset, method, camera, seed, changes)
    outcome = run_trial(here, job, held_out)
    file = here.paths.trials / f"{dataset}.csv"
    log_trial(file, job, changes, held_out, outcome)
    _print_verdicts(" ".join([f"{dataset}: {job.title}", *changes]), method, outcome.verdicts)
    console.print(
        f"AUC of telling tampered frames of {outcome.held_out} held-out normal video(s) apart; trained in "
        f"{outcome.minutes:.1f} min on {outcome.trained} other(s), scores {outcome.frames_per_second:.0f} frames/s\n"
        f"Added to {file}"
    )


def _print_verdicts(title: str, method: str, verdicts: pd.DataFrame) -> None:
    """One row a signal and normalisation; the headline signal in bold, the yardstick dim."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from flows.results.text_tables import number_text
    from vad_models.jobs.trial import KINDS

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for column in ("signal", "normalised"):
        table.add_column(column, overflow="fold")
    for column in (*KINDS, "all"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in verdicts.to_dict("records"):
        own = row["method"] == method
        aucs = (number_text(row[kind], 3) for kind in (*KINDS, "all"))
        style = "dim" if not own else "bold" if row["headline"] else ""
        table.add_row(row["signal"] if own else row["method"], row["normalisation"], *aucs, style=style)
    console.print(table)
