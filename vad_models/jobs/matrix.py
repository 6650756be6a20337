"""The matrix of jobs: every (method, camera, seed) of a dataset that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError, SettingsError
from vad_models.jobs.code_version import code_version
from vad_models.jobs.job import Job
from vad_models.methods import method_class
from vad_models.settings import Params, closest, validated

__all__ = ["frame_size", "make_jobs"]


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
        methods: labels of methods and variants; None means those of `benchmark.methods`.
        cameras: None means all that have training video, or `all` where the dataset's settings say so.
        seeds: None means the dataset's.

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
        entry = params.method(label)
        method = entry.method
        where = settings.profile if label == method else f"{label}.{settings.profile}"
        validated(method_class(method).Settings, values, where, entry.file)
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
                near = closest(camera, trainable, f"data/{dataset}")
                raise DataError(f"{dataset} has no training video of camera {camera!r}: {near}")
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
