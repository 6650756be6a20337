"""A job: one method (and variant) trained on one camera from one seed, scored and measured. Pure; no orchestration.

A job's fingerprint covers everything that shapes its numbers: settings, seed, data version and code version. The same
fingerprint is never computed twice, and a job that died goes on from its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch
from pydantic import Field

from vad_models.calibration import NORMALISATIONS, label_free_threshold
from vad_models.code_version import code_version
from vad_models.contract import Combination
from vad_models.data.clips import Excerpt, split_holdout
from vad_models.data.files import atomic_path, write_json
from vad_models.data.frame_store import FrameStore, Video
from vad_models.data.layouts import Split
from vad_models.errors import DataError, JobError, SettingsError
from vad_models.export import load_method, save_method
from vad_models.methods import build_method, method_class
from vad_models.metrics import measure, operation
from vad_models.pseudo_anomalies import label_free_auc
from vad_models.scoring import frames_per_second, gflop_per_frame, read_scores, score_excerpts, write_scores
from vad_models.settings import EvaluationSettings, Frozen, Params, validated
from vad_models.training import EpochReport, train

__all__ = ["Job", "finished_metrics", "frame_size", "label_of", "make_jobs", "run_job", "split_training"]

_DEFAULT_FPS = 25.0
"""Of footage that does not say, such as folders of images."""


def label_of(method: str, variant: str) -> str:
    """Key in params.yaml: the method, or `<method>_<variant>`."""
    return method if variant == "default" else f"{method}_{variant}"


class Job(Frozen):
    """Everything that shapes the numbers of one training.

    A study that trains on other video derives a class of its own: its fields are part of the fingerprint too.
    """

    whole_videos: ClassVar[bool] = True
    """Whether videos are seen as they are stored, so that features kept for the stored ones are theirs."""

    dataset: str
    camera: str
    """Name of the camera, or `all` for one model of every camera."""
    method: str
    variant: str = "default"
    profile: str
    seed: int
    settings: dict[str, Any]
    """Settings of the method, as in params.yaml."""
    frames: str
    """Size of the frames, `HxWxC`."""
    holdout: float
    """Share of normal training video held out."""
    mirror: bool = False
    """Whether mirrored video is trained on as well."""
    data_version: str
    """Digest of the camera's derived frames and labels."""
    code_version: str
    """Digest of the statements that compute the scores."""
    members: dict[str, str] = Field(default_factory=dict)
    """Label -> fingerprint of the jobs whose trained models this one combines."""

    @property
    def label(self) -> str:
        """Key in params.yaml: the method, or `<method>_<variant>`."""
        return label_of(self.method, self.variant)

    @property
    def title(self) -> str:
        """Readable name: `decoupled/01/seed0`."""
        return f"{self.label}/{self.camera}/seed{self.seed}"

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits; equal where all fields are."""
        canonical = json.dumps(self.model_dump(), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def directory(self, runs: Path) -> Path:
        """Where the job's files are, below `runs/`."""
        return runs / self.dataset / self.label / self.camera / f"seed{self.seed}"

    def videos(self, store: FrameStore, split: Split) -> list[Video]:
        """The videos that the job is trained on (`train`, held-out ones among them) or scored on (`test`)."""
        return store.videos(None if self.camera == "all" else self.camera, split)

    def added(self, store: FrameStore) -> list[Excerpt]:
        """What is trained on beside the normal video."""
        return []

    def fps(self, store: FrameStore) -> float:
        """Frames per second of the job's videos."""
        known = _rows(self, store)["fps"].dropna()
        return float(known.iloc[0]) if len(known) and known.iloc[0] > 0 else _DEFAULT_FPS


def frame_size(params: Params, dataset: str, label: str) -> str:
    """Size of the frames that a method (or variant) sees on a dataset, `HxWxC`.

    Raises:
        SettingsError: the method wants a size that is not derived for the dataset.
    """
    derived = params.dataset(dataset).frames
    wanted = params.method_settings(label, params.dataset(dataset).profile).get("frames")
    if wanted is None:
        return str(derived[0])
    if wanted not in [str(size) for size in derived]:
        listed = ", ".join(str(size) for size in derived)
        raise SettingsError(
            f"{label} needs frames of {wanted}, but datasets.{dataset}.frames lists {listed}: add the size there."
        )
    return str(wanted)


def make_jobs(
    params: Params,
    store_of: Callable[[str], FrameStore],
    dataset: str,
    methods: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Job]:
    """Jobs of a dataset: every (method, camera, seed), in that order; a job that combines others comes after them.

    Args:
        params: the settings.
        store_of: frame store of a frame size (`HxWxC`).
        dataset: its name.
        methods: keys of `methods:` in params.yaml; none: those of `benchmark.methods`.
        cameras: none: all that have training video, or `all` where the dataset's settings say so.
        seeds: none: the dataset's.

    Raises:
        SettingsError: a method or a setting is not known.
        DataError: a camera is not in the dataset or has no training video.
    """
    settings = params.dataset(dataset)
    jobs: list[Job] = []
    for label in methods or params.benchmark.methods:
        values = params.method_settings(label, settings.profile)
        members = [
            job
            for member in values.get("members", ())
            for job in make_jobs(params, store_of, dataset, [member], cameras, seeds)
        ]
        jobs += members
        method = params.methods[label].variant_of or label
        validated(method_class(method).Settings, values, f"methods.{label}.{settings.profile}")
        size = frame_size(params, dataset, label)
        for job in members:
            if job.frames != size:
                raise SettingsError(
                    f"{label} combines methods that see the same frames, but {job.label} sees {job.frames} and {label} "
                    f"{size}: leave one of them out."
                )
        store = store_of(size)
        trainable = [camera for camera in store.cameras if store.videos(camera, "train")]
        for camera in cameras or (["all"] if settings.cameras == "all" else trainable):
            if camera != "all" and camera not in trainable:
                raise DataError(
                    f"{dataset} has no training video of camera {camera!r}; its cameras are: {', '.join(trainable)}."
                )
            jobs += [
                Job(
                    dataset=dataset,
                    camera=camera,
                    method=method,
                    variant=label.removeprefix(f"{method}_") if label != method else "default",
                    profile=settings.profile,
                    seed=seed,
                    settings=values,
                    frames=size,
                    holdout=settings.holdout,
                    mirror=settings.mirror,
                    data_version=store.digest(None if camera == "all" else camera),
                    code_version=code_version(method),
                    members={
                        job.label: job.fingerprint
                        for job in members
                        if (job.camera, job.seed) == (camera, seed)
                    },
                )
                for seed in (settings.seeds if seeds is None else seeds)
            ]
    return list({job.title: job for job in jobs}.values())


def run_job(
    job: Job,
    store: FrameStore,
    directory: Path,
    evaluation: EvaluationSettings,
    threads: int | None = None,
    device: str = "auto",
    devices: int = 1,
    features: Path | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> dict[str, Any]:
    """Train, score and measure; returns (and writes to `metrics.json`, last) what `finished_metrics` returns.

    What is already there with the same fingerprint is kept; what has another fingerprint is removed first.

    Args:
        job: what to do.
        store: frames of the job's size.
        directory: the job's own.
        evaluation: how scores become numbers; a change of it alone measures again and trains nothing.
        threads: of torch, for this process; none: all cores.
        device: Lightning's accelerator.
        devices: how many of these to train on, sharing every batch; see `train`.
        features: folder for features that no training changes, shared by all jobs; none: they are not kept.
        on_epoch: called after each epoch of training.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if _fingerprint_in(directory) != job.fingerprint:
        shutil.rmtree(directory, ignore_errors=True)
    if (metrics := finished_metrics(job, directory, evaluation)) is not None:
        return metrics
    write_json(directory / "job.json", {**job.model_dump(), "fingerprint": job.fingerprint})

    facts_file = directory / "training.json"
    if not facts_file.exists():
        kept = features if job.whole_videos else None
        facts = _train_and_score(job, store, directory, device, devices, kept, on_epoch)
        write_json(facts_file, facts)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    metrics = {**facts, **_measure(job, store, directory, evaluation)}
    write_json(directory / "metrics.json", metrics)
    return metrics


def split_training(job: Job, store: FrameStore, shortest: int) -> tuple[list[Excerpt], list[Excerpt]]:
    """The job's normal video: what is trained on, and what is held out, of every camera.

    Args:
        job: whose videos and share are taken.
        store: frames of the job's size.
        shortest: frames that an excerpt must have to be of use.

    Raises:
        DataError: a camera has too little video for that.
    """
    by_camera: dict[str, list[Video]] = {camera: [] for camera in store.cameras}
    for video in job.videos(store, "train"):
        by_camera[video.camera].append(video)
    splits = [split_holdout(videos, job.holdout, shortest) for videos in by_camera.values() if videos]
    return (
        [excerpt for trained, _ in splits for excerpt in trained],
        [excerpt for _, held in splits for excerpt in held],
    )


def finished_metrics(job: Job, directory: Path, evaluation: EvaluationSettings) -> dict[str, Any] | None:
    """`metrics.json` of a job that is finished with this fingerprint and these evaluation settings, else none."""
    if _fingerprint_in(directory) != job.fingerprint or not (directory / "metrics.json").exists():
        return None
    metrics: dict[str, Any] = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    return metrics if metrics["evaluation"] == evaluation.model_dump() else None


def _train_and_score(
    job: Job,
    store: FrameStore,
    directory: Path,
    device: str,
    devices: int,
    features: Path | None,
    on_epoch: Callable[[EpochReport], None] | None,
) -> dict[str, Any]:
    """Train the model, write it and its scores, and return what was measured on the way."""
    torch.manual_seed(job.seed)
    method = build_method(job.method, job.settings, store.size)
    if isinstance(method, Combination):
        _adopt_members(method, job, directory.parents[2])
    normal, holdout_excerpts = split_training(job, store, method.clip.frames)
    training_excerpts = [*normal, *job.added(store)]
    outcome = train(
        method,
        training_excerpts,
        holdout_excerpts,
        directory / "checkpoints",
        job.seed,
        mirror=job.mirror,
        features=features,
        device=device,
        devices=devices,
        on_epoch=on_epoch,
    )
    save_method(method, job.settings, directory, {**job.model_dump(), "fingerprint": job.fingerprint})
    test_excerpts = [Excerpt(video, 0, video.frames) for video in job.videos(store, "test")]
    tables = [
        score_excerpts(method, holdout_excerpts, "holdout"),
        score_excerpts(method, test_excerpts, "test"),
    ]
    scores = pd.concat([table for table in tables if len(table)], ignore_index=True)
    write_scores(scores, directory / "scores.parquet")
    with atomic_path(directory / "history.csv") as temporary:
        outcome.history.to_csv(temporary, index=False)
    return {
        "headline": method.headline,
        "signals": list(method.signals),
        "train_minutes": outcome.minutes,
        "fps_train": outcome.frames_per_second,
        "fps_score": frames_per_second(method, holdout_excerpts[0].array()),
        "params_m": sum(parameter.numel() for parameter in method.parameters()) / 1e6,
        "gflop_per_frame": gflop_per_frame(method),
        "label_free_auc": label_free_auc(method, [excerpt.array() for excerpt in holdout_excerpts]),
        "frames_trained": sum(excerpt.frames for excerpt in training_excerpts),
        "holdout_videos": [excerpt.video.name for excerpt in holdout_excerpts],
    }


def _adopt_members(method: Combination, job: Job, dataset_runs: Path) -> None:
    """Give `method` the trained models that it combines, with their scores of held-out normal video.

    Raises:
        JobError: a member is not trained, or was trained with other settings.
    """
    for label, fingerprint in job.members.items():
        directory = dataset_runs / label / job.camera / f"seed{job.seed}"
        if _fingerprint_in(directory) != fingerprint or not (directory / "training.json").exists():
            raise JobError(
                f"{job.title} combines {label}/{job.camera}/seed{job.seed}, which is not trained with these settings: "
                f"run `vad train --dataset {job.dataset} --method {label} --camera {job.camera} --seed {job.seed}`."
            )
        scores = read_scores(directory / "scores.parquet")
        method.adopt(label, load_method(directory), scores[scores["split"] == "holdout"])


def _measure(job: Job, store: FrameStore, directory: Path, evaluation: EvaluationSettings) -> dict[str, Any]:
    """Metrics of the job's scores, its label-free threshold, and what an operator would have seen at it."""
    scores = read_scores(directory / "scores.parquet")
    rows = _rows(job, store)
    label_sets = sorted(set(rows.loc[rows["labelled"], "label_set"])) or ["none"]
    cls = method_class(job.method)
    fps = job.fps(store)
    threshold = label_free_threshold(scores, cls.headline, fps, evaluation.false_alarms_per_hour)
    labelled = scores.loc[scores["split"] == "test", "label"].notna().any()
    return {
        "evaluation": evaluation.model_dump(),
        "metrics": measure(scores, cls.signals, NORMALISATIONS, "+".join(label_sets), evaluation),
        "threshold": asdict(threshold),
        "operation": asdict(operation(scores, cls.headline, threshold, fps)) if labelled else None,
    }


def _rows(job: Job, store: FrameStore) -> pd.DataFrame:
    """The manifest's rows of the job's camera."""
    manifest = store.manifest
    return manifest if job.camera == "all" else manifest[manifest["camera"] == job.camera]


def _fingerprint_in(directory: Path) -> str | None:
    path = directory / "job.json"
    return json.loads(path.read_text(encoding="utf-8"))["fingerprint"] if path.exists() else None
