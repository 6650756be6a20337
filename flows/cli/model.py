"""`vad model`: list registered models and change which version serves a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import console, person, project

if TYPE_CHECKING:
    from flows.registry.catalogue import RegisteredVersion
    from flows.registry.versions import Promotion

__all__ = ["app"]

app = typer.Typer(
    help="List registered models, promote a version by hand, or roll back.", no_args_is_help=True
)

_Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME_OR_CAMERA", help="A model, such as campus-camera-01, or a camera.", show_default=False
    ),
]
_Dataset = Annotated[
    str | None,
    typer.Option("--dataset", "-d", help="Dataset of the camera. Default: any.", show_default=False),
]
_Reason = Annotated[str, typer.Option(help="Why; it is written on the version.", show_default=False)]


@app.command("list")
def list_models(
    dataset: _Dataset = None,
    camera: Annotated[
        str | None, typer.Option("--camera", "-c", help="A camera. Default: all.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one object per version.")] = False,
) -> None:
    """List the versions of each camera's model: which one serves, since when, who decided it, and how good it is.

    Example: vad model list --dataset campus
    """
    import json
    from dataclasses import asdict

    from flows.registry.catalogue import list_versions

    versions = list_versions(project().paths, dataset, camera)
    if as_json:
        typer.echo(json.dumps([asdict(version) for version in versions], indent=2))
    elif versions:
        _print(versions)
    else:
        console.print(
            "No model is registered: train and register some with `vad benchmark --dataset DATASET`."
        )


@app.command("promote")
def promote(
    name: _Name,
    version: Annotated[int, typer.Option(help="Version that becomes the champion.", show_default=False)],
    reason: _Reason,
    dataset: _Dataset = None,
) -> None:
    """Make a version the champion of its camera without a comparison; the old champion can return only by hand.

    Example: vad model promote 01 --dataset campus --version 2 --reason "the new lens blurs what version 3 looks at"
    """
    from flows.registry.catalogue import find_model
    from flows.registry.versions import promote as run

    paths = project().paths
    _say(run(paths, find_model(paths, name, dataset), version, reason, person()))


@app.command("rollback")
def rollback(name: _Name, reason: _Reason, dataset: _Dataset = None) -> None:
    """Make the champion's predecessor the champion again; the replaced version can return only by hand.

    Example: vad model rollback 01 --dataset campus --reason "alarms at every tram since Monday"
    """
    from flows.registry.catalogue import find_model
    from flows.registry.versions import rollback as run

    paths = project().paths
    _say(run(paths, find_model(paths, name, dataset), reason, person()))


def _say(promotion: Promotion) -> None:
    state = "is the champion now" if promotion.promoted else "stays as it is"
    console.print(f"{promotion.model} version {promotion.version} {state}: {promotion.reason}")


def _print(versions: list[RegisteredVersion]) -> None:
    """Print one row per version, and below them who decided what; a model's name is printed only once."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    for column in ("model", "version", "alias", "method"):
        table.add_column(column, overflow="fold")
    for column in ("AUC", "cross-fitted", "papers'", "served since"):
        table.add_column(column, justify="right", no_wrap=True)
    above = ""
    for one in versions:
        aucs = [
            "" if auc is None else f"{auc:.3f}" for auc in (one.auc, one.cross_fitted_auc, one.auc_papers)
        ]
        table.add_row(
            "" if one.model == above else one.model,
            str(one.version),
            ", ".join(one.aliases),
            one.method or "",
            *aucs,
            (one.champion_since or "")[:16].replace("T", " "),
            style="bold" if "champion" in one.aliases else "",
        )
        above = one.model
    console.print(table)
    for one in versions:
        decided = f" (by {one.promotion_by})" if one.promotion_by else ""
        withdrawn = f"; withdrawn by {one.withdrawn}" if one.withdrawn else ""
        console.print(
            f"{one.model} version {one.version}: {one.promotion or 'not compared yet'}{decided}{withdrawn}"
        )
