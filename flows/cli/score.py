"""`vad score`: score a video with a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import console, project

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["score"]


def score(
    video: Annotated[
        Path, typer.Argument(help="Video file, folder of frames, or .npy of frames.", show_default=False)
    ],
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Dataset of the champion.")] = None,
    camera: Annotated[str | None, typer.Option("--camera", "-c", help="Camera of the champion.")] = None,
    model: Annotated[Path | None, typer.Option(help="Directory of a job, instead of a champion.")] = None,
    out: Annotated[Path, typer.Option(help="File for the scores, one row per frame.")] = Path(
        "scores.parquet"
    ),
) -> None:
    """Score a video with a camera's champion, or with the model of a job.

    Scores are in standard deviations above the camera's normal video. Frames above the model's threshold are abnormal.

    Example: vad score entrance.mp4 --dataset campus --camera 01

    Example: vad score entrance.mp4 --model runs/campus/ffp/01/seed0
    """
    if (model is None) == (dataset is None or camera is None):
        raise typer.BadParameter(
            "give --dataset and --camera for a champion, or --model for a job's directory"
        )
    scores = _by_job(video, model) if model is not None else _by_champion(video, str(dataset), str(camera))
    from vad_models.data.files import atomic_path

    with atomic_path(out) as temporary:
        scores.to_parquet(temporary, index=False)
    worst = scores.loc[scores["score"].idxmax()]
    console.print(
        f"{out}: {len(scores)} frames scored, {int(scores['is_abnormal'].sum())} above the threshold; "
        f"the highest is frame {int(worst['frame'])}, {worst['score']:.1f} deviations above normal"
    )


def _by_champion(video: Path, dataset: str, camera: str) -> pd.DataFrame:
    from flows.registry.versions import load_champion

    champion = load_champion(project().paths, dataset, camera)
    console.print(f"{champion.name} version {champion.version}: {champion.tags['method']}")
    scores: pd.DataFrame = champion.model.predict(str(video))
    return scores


def _by_job(video: Path, directory: Path) -> pd.DataFrame:
    from vad_models.data.reading import read_video
    from vad_models.jobs.finished import read_finished
    from vad_models.operation.detector import Calibration, Detector
    from vad_models.operation.export import load_method

    finished = read_finished(directory)
    calibration = Calibration.of(finished.scores, finished.headline, finished.metrics["threshold"])
    detector = Detector(load_method(directory), calibration)
    return detector.score(read_video(video, detector.method.clip.size))
