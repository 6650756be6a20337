"""What can a user type? The command line `vad`, with one file per group of commands.

The way in is `main`. Commands import what they need inside the function, so that `vad --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flows.cli import (
    bench,
    benchmark,
    compare,
    contact_sheet,
    data,
    doctor,
    model,
    score,
    server,
    study,
    trial,
    worker,
)
from flows.cli.common import session
from vad_models.errors import VadError

__all__ = ["app", "main"]

app = typer.Typer(
    name="vad",
    help="""Turn fixed-camera video into registered anomaly detectors, one per camera, and see how good they are.

    A first run, on the embedded campus:

      vad data synth campus --cameras 3 --seed 7

      vad benchmark --dataset campus

    The same on footage of your own:

      vad data import ~/footage/ped2 --name ucsd_ped2

      vad benchmark --dataset ucsd_ped2
    """,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
benchmark.register(app)
study.register(app)
app.command("compare")(compare.compare)
app.command("trial")(trial.trial)
app.command("trials")(trial.trials)
app.command("contact-sheet")(contact_sheet.contact_sheet)
app.command("score")(score.score)
app.add_typer(model.app, name="model")
app.add_typer(server.app, name="server")
app.command("with-server", context_settings={"ignore_unknown_options": True})(server.with_server)
app.command("worker")(worker.worker)
app.add_typer(bench.app, name="bench")
app.command("doctor")(doctor.doctor)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and Prefect's logs.")] = False,
    params: Annotated[Path, typer.Option(help="Settings file; its folder is the project.")] = Path(
        "params.yaml"
    ),
) -> None:
    session.debug, session.params = debug, params
    # Prefect prints a traceback for every failed task; `main` prints one sentence instead.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if debug else "CRITICAL")
    # Python's warning about worker processes that Ctrl-C has ended.
    os.environ.setdefault("PYTHONWARNINGS", "default" if debug else "ignore:resource_tracker")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `vad`; exit code 0, or 1 after an error, 2 for wrong usage, 130 after Ctrl-C. Errors are one sentence."""
    session.debug = False
    try:
        app(arguments)
    except VadError as error:
        if session.debug:
            raise
        _stop(str(error))
    except Exception as error:
        if session.debug:
            raise
        said = " ".join(str(error).split())[:200] or "without a word"
        _stop(
            f"{type(error).__name__} that nobody expected ({said}): the same command with `vad --debug` shows where."
        )
    sys.exit(0)


def _stop(sentence: str) -> NoReturn:
    typer.echo(f"vad: {sentence}", err=True)
    sys.exit(1)
