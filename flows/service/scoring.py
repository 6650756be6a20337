"""Scoring of a camera's videos by its champion, with the events that an operator would be shown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.execution.retries import RETRIES
from flows.project.project import Project, open_raw
from flows.registry.versions import Champion, load_champion
from vad_models.data.decode import VIDEO_SUFFIXES, listed
from vad_models.data.files import atomic_path
from vad_models.errors import DataError
from vad_models.operation.detector import events

__all__ = ["score"]


@flow(name="score", flow_run_name="score {dataset} camera {camera}")
def score(
    dataset: str,
    camera: str,
    videos: Path | None = None,
    out: Path = Path("scores"),
    root: Path = Path(),
) -> None:
    """Score videos with their camera's champion: `<camera>.parquet`, one row per frame, and `<camera>-events.csv`.

    Args:
        dataset: the camera's dataset.
        camera: name of a camera that has a champion in the registry.
        videos: a video file, a folder of frames, or a folder of video files; None means the camera's test video in
            `data/`.
        out: folder; the files go into `<out>/<dataset>/`.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        VadError: the camera has no champion, or there is no video that can be scored.
    """
    project = Project.at(root)
    sources = _sources(project, dataset, camera, videos)
    champion = load_champion(project.paths, dataset, camera)
    tables: list[pd.DataFrame] = [score_video(champion, name, source) for name, source in sources.items()]
    folder = project.paths.root / out / dataset
    with atomic_path(folder / f"{camera}.parquet") as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)
    found = pd.concat([events(table).assign(video=table["video"].iloc[0]) for table in tables])
    with atomic_path(folder / f"{camera}-events.csv") as temporary:
        found[["video", "first", "last", "peak", "score"]].to_csv(temporary, index=False, float_format="%.4g")
    get_run_logger().info(
        "%d frames of %s: %d events, in %s", sum(map(len, tables)), ", ".join(sources), len(found), folder
    )


@task(task_run_name="{name}", cache_policy=NO_CACHE, **RETRIES)
def score_video(champion: Champion, name: str, source: Path) -> pd.DataFrame:
    """Score one video with the champion; the table has a column with the name of the video."""
    scores: pd.DataFrame = champion.model.predict(str(source))
    scores.insert(0, "video", name)
    return scores


def _sources(project: Project, dataset: str, camera: str, videos: Path | None) -> dict[str, Path]:
    """Return name -> file or folder of each video.

    Raises:
        DataError: there are no videos.
    """
    if videos is None:
        raw = open_raw(project.paths, dataset)
        found = {
            video.name: video.source.path
            for video in raw.videos
            if (video.camera, video.split) == (camera, "test")
        }
        if not found:
            raise DataError(
                f"data/{dataset} has no test video of camera {camera!r}: name a file or folder with `videos`."
            )
        return found
    given = project.paths.root / videos
    files = listed(given, VIDEO_SUFFIXES) if given.is_dir() else []
    return {file.stem: file for file in files} or {given.stem: given}
