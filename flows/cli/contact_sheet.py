"""`vad contact-sheet`: pictures of the conditions of the robustness study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import DatasetArgument, console, project

__all__ = ["contact_sheet"]


def contact_sheet(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("contact-sheet"),
) -> None:
    """Draw one moment of a test video under every condition of the robustness study: distortions.jpg, weather.jpg.

    Example: vad contact-sheet campus --out docs/images
    """
    from flows.studies.contact_sheet import write_contact_sheets

    with console.status(f"distorting {dataset}"):
        files = write_contact_sheets(project(), dataset, out)
    for file in files:
        console.print(f"{file}")
