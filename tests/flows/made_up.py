"""A small made-up finished benchmark: directories as `vad_models.jobs.run` leaves them, with scores of chosen
quality.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from flows.project.paths import Paths
from vad_models.data.files import write_json
from vad_models.data.manifest import read_manifest, write_manifest
from vad_models.evaluation.metrics import measure, operation
from vad_models.evaluation.normalisation import NORMALISATIONS, label_free_threshold
from vad_models.jobs.finished import FinishedJob, read_finished
from vad_models.jobs.job import Job
from vad_models.methods import build_method
from vad_models.operation.export import save_method
from vad_models.scoring import write_scores
from vad_models.settings import EvaluationSettings, FrameSize

SIZE = FrameSize(16, 24, 1)
SETTINGS = {
    "clip": 4,
    "channels": [4, 4],
    "training": {"epochs": 2, "sequence": 4, "batch": 2, "learning_rate": 1e-3},
}
EVALUATION = EvaluationSettings(bootstrap=50)
VIDEOS = {"train": 3, "test": 4}
FRAMES = 40

MakeJob = Callable[..., FinishedJob]


def make_finished_job(
    paths: Paths,
    method: str = "conv_ae",
    camera: str = "01",
    seed: int = 0,
    quality: float = 1.5,
    labelled: bool = True,
    dataset: str = "toy",
    label_free_auc: float | None = None,
    signals: Sequence[str] = ("reconstruction",),
    evaluation: EvaluationSettings = EVALUATION,
    data_version: str = "d0" * 32,
    scores_of: Sequence[str] = (),
    **settings: object,
) -> FinishedJob:
    """A finished job: `quality` is how far abnormal frames lie above normal ones, in standard deviations."""
    job = Job(
        dataset=dataset,
        camera=camera,
        method=method,
        profile="demo",
        seed=seed,
        settings={**SETTINGS, **settings},
        frames=str(SIZE),
        holdout=0.1,
        data_version=data_version,
        code_version="c0ffee",
    )
    directory = job.directory(paths.runs)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "job.json", {**job.model_dump(), "fingerprint": job.fingerprint})
    torch.manual_seed(seed)
    # Every made-up method has the network of conv_ae: what is tested here never looks inside.
    save_method(build_method("conv_ae", SETTINGS, SIZE), SETTINGS, directory, job.model_dump())
    history = pd.DataFrame(
        {"phase": "training", "epoch": [0, 1], "loss": [0.2, 0.1], "holdout_loss": [0.3, np.nan]}
    )
    history.to_csv(directory / "history.csv", index=False)
    tables = [make_scores(one, quality, labelled, signals, seed) for one in scores_of or [camera]]
    scores = pd.concat(tables, ignore_index=True)
    write_scores(scores, directory / "scores.parquet")
    threshold = label_free_threshold(scores, signals[0], 25.0, evaluation.false_alarms_per_hour)
    metrics = {
        "headline": signals[0],
        "signals": list(signals),
        "train_minutes": 0.5,
        "fps_train": 900.0,
        "fps_score": 321.0,
        "params_m": 0.25,
        "gflop_per_frame": 0.125,
        "evaluation": evaluation.model_dump(),
        "metrics": measure(scores, signals, NORMALISATIONS, "official", evaluation),
        "threshold": asdict(threshold),
        "operation": asdict(operation(scores, signals[0], threshold, 25.0)) if labelled else None,
    }
    if label_free_auc is not None:
        metrics["label_free_auc"] = label_free_auc
    write_json(directory / "metrics.json", metrics)
    for one in scores_of or [camera]:
        make_frames(paths, dataset, one)
    return read_finished(directory)


def abnormal_interval(video: int) -> tuple[int, int]:
    """The abnormal frames of a test video; the last video has none."""
    return (0, 0) if video == VIDEOS["test"] - 1 else (10 + 3 * video, 25 + 3 * video)


def make_scores(
    camera: str, quality: float, labelled: bool, signals: Sequence[str], seed: int
) -> pd.DataFrame:
    """A score table: one held-out video and the test videos, frames 2 to 37 of 40 scored."""
    noise = np.random.default_rng([seed, int(camera), len(signals)])
    tables = []
    for split, video in [
        ("holdout", VIDEOS["train"] - 1),
        *(("test", index) for index in range(VIDEOS["test"])),
    ]:
        frame = np.arange(2, FRAMES - 2)
        first, end = abnormal_interval(video)
        label = (frame >= first) & (frame < end) & (split == "test")
        table = {"camera": camera, "split": split, "video": f"{video:02d}", "frame": frame}
        table["label"] = pd.array(
            label if labelled and split == "test" else [pd.NA] * len(frame), dtype="boolean"
        )
        for rank, signal in enumerate(signals):
            raw = noise.normal(size=len(frame)) + quality * label / (1 + rank)
            table[signal] = (0.01 + 0.001 * raw).astype(np.float32)
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def make_frames(paths: Paths, dataset: str, camera: str) -> None:
    """The camera's frame store: grey noise, a bright square on abnormal frames; its rows are added to the
    manifest.
    """
    root = paths.frames / dataset / str(SIZE)
    rows = []
    for split, count in VIDEOS.items():
        for video in range(count):
            first, end = abnormal_interval(video) if split == "test" else (0, 0)
            file = root / camera / split / f"{video:02d}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            frames = np.random.default_rng(video).integers(90, 110, (FRAMES, *SIZE), dtype=np.uint8)
            frames[first:end, 4:10, 6:12] = 255
            np.save(file, frames)
            rows.append(
                {
                    "dataset": dataset,
                    "camera": camera,
                    "split": split,
                    "video": f"{video:02d}",
                    "frames": FRAMES,
                    "fps": 25.0,
                    "height": SIZE.height,
                    "width": SIZE.width,
                    "unreadable": "",
                    "labelled": split == "test",
                    "label_frames": FRAMES if split == "test" else -1,
                    "abnormal": [(first, end)] if end else [],
                    "abnormal_frames": end - first,
                    "label_set": "official" if split == "test" else "none",
                    "sha256": f"{camera}{split}{video}",
                    "path": f"{camera}/{split}/{video:02d}.npy",
                }
            )
    manifest = pd.DataFrame(rows)
    file = root / "manifest.parquet"
    if file.exists():
        before = read_manifest(file)
        manifest = pd.concat([before[before["camera"] != camera], manifest], ignore_index=True)
    write_manifest(manifest, file)


def edit_metrics(finished: FinishedJob, **changes: object) -> FinishedJob:
    """The job with other entries in its `metrics.json`."""
    file = finished.directory / "metrics.json"
    write_json(file, {**json.loads(file.read_text()), **changes})
    return read_finished(finished.directory)
