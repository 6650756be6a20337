"""`vad trial`: choose a method's settings without labels; `vad trials`: list what has been tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import DatasetArgument, DatasetOption, console, project

if TYPE_CHECKING:
    import pandas as pd
    from optuna.trial import FrozenTrial
    from rich.table import Table

    from flows.trials.notebook import Question

__all__ = ["trial", "trials"]


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
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="A setting to vary: key=A|B|C, key=log(LOW,HIGH), key=uniform(LOW,HIGH) or key=int(LOW,HIGH); "
            "may be repeated.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --sweep: total number of trials. Default: every combination, or 20 if a range is varied.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Seed of everything random.")] = 0,
    held_out: Annotated[int, typer.Option(help="One in this many normal videos is held out.", min=2)] = 4,
) -> None:
    """Train on some normal video, and measure which anomalies pasted into the rest the method detects.

    No labels and no test video are used. Frame differencing, which learns nothing, is measured for comparison. With
    --sweep, several settings are tried; the same command continues where it was interrupted, also in several terminals
    at once. `vad trials` lists what has been tried.

    Example: vad trial conv_ae --dataset ucsd_ped2 --sweep 'training.learning_rate=log(1e-4,1e-2)' --trials 12
    """
    from flows.trials.notebook import read_notebook
    from flows.trials.sweep import plan_sweep, run_sweep

    if trials is not None and not sweep:
        raise typer.BadParameter("--trials is the number of trials of a sweep: give --sweep as well")
    here = project()
    plan = plan_sweep(here, dataset, method, camera, seed, settings or [], sweep or [], trials, held_out)
    if not plan.space:
        (done,) = run_sweep(here, plan)
        _print_trial(" ".join([f"{dataset}: {plan.job.title}", *plan.fixed]), method, done)
        return
    own = run_sweep(here, plan, _print_progress)
    _print_notebook(read_notebook(here.paths, dataset, method), plan.question)
    states = Counter(one.state.name for one in own)
    console.print(
        f"In this sweep, {states['COMPLETE']} trial(s) are done and {states['FAIL']} failed"
        + (f"; {states['RUNNING']} run in another process" if states["RUNNING"] else "")
    )


def trials(
    dataset: DatasetArgument,
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="A method or variant. Default: all that were tried.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with everything known about each trial.")
    ] = False,
) -> None:
    """List the settings that `vad trial` has tried, the best first, with frame differencing, which learns nothing.

    Example: vad trials ucsd_ped2 --method conv_ae
    """
    from flows.trials.notebook import Question, read_notebook

    table = read_notebook(project().paths, dataset, method)
    if as_json:
        print(table.to_json(orient="records", indent=2))
        return
    for question in table[[field.name for field in fields(Question)]].drop_duplicates().to_dict("records"):
        _print_notebook(table, Question(**question))


def _print_progress(trial: FrozenTrial) -> None:
    """Print one line for a finished trial of a sweep."""
    said = trial.user_attrs.get("error") or f"{trial.value:.3f}"
    console.print(f"{' '.join(trial.user_attrs['settings'])}: {said}")


def _print_notebook(table: pd.DataFrame, question: Question) -> None:
    """Print the trials of a question, the best first."""
    from vad_models.jobs.trial import GROUPS

    for name, value in asdict(question).items():
        table = table[table[name] == value]
    shown = _table(
        f"{question.dataset}: {question.method}/{question.camera}, one in {question.held_out} normal videos held out, "
        f"yardstick {question.yardstick}",
        ("trial", "settings", "seed"),
        ("all", *[name.replace("_", " ") for name in GROUPS]),
    )
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        number, seed = ("", "") if row["number"] < 0 else (str(row["number"]), str(row["seed"]))
        settings, style = row["settings"], ""
        if row["state"] != "complete":
            settings, style = " ".join(filter(None, (row["settings"], row["state"], row["error"]))), "dim"
        shown.add_row(number, settings, seed, *_texts(row, ("auc", *GROUPS)), style=style)
    console.print(shown)


def _print_trial(title: str, method: str, trial: FrozenTrial) -> None:
    """Print signals by group of kinds, with the headline bold and frame differencing dim; then headlines by kind."""
    from vad_models.jobs.trial import GROUPS, KINDS

    if trial.state.name != "COMPLETE":
        console.print(
            f"{title}: another process is trying the same settings; `vad trials` shows the outcome."
        )
        return
    found = trial.user_attrs

    def style(row: dict[str, Any]) -> str:
        return "dim" if row["method"] != method else "bold" if row["headline"] else ""

    numbers = (*GROUPS, "all", "hit", "chance")
    table = _table(title, ("signal", "normalised"), [name.replace("_", " ") for name in numbers])
    for row in found["verdicts"]:
        name = row["signal"] if row["method"] == method else row["method"]
        table.add_row(name, row["normalisation"], *_texts(row, numbers), style=style(row))
    console.print(table)
    headlines = [row for row in found["verdicts"] if row["headline"]]
    table = _table("", ("kind",), [f"{row['method']}\n{row['normalisation']}" for row in headlines])
    for kind in KINDS:
        table.add_row(kind, *(text for row in headlines for text in _texts(row, [kind])))
    console.print(table)
    console.print(
        f"AUC on anomalies pasted into {found['held_out_videos']} held-out normal video(s); trained in "
        f"{found['train_minutes']:.1f} min on {found['trained_videos']} other(s), scores {found['fps_score']:.0f} "
        f"frames/s\nTrial {trial.number}, finished {trial.datetime_complete:%Y-%m-%d %H:%M}; the same settings are not "
        "tried twice, and `vad trials` lists all trials."
    )


def _texts(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Format the numbers of a row; those that could not be measured are empty."""
    from flows.results.text_tables import number_text

    return ["" if row[name] is None else number_text(row[name], 3) for name in names]


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for column in texts:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table
