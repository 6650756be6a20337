"""`vad bench`: measure speed on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.capacity import orchestration, scale
from flows.cli.common import DatasetArgument, console, project

__all__ = ["app"]

app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
app.command("orchestration")(orchestration)
app.command("scale")(scale)


@app.command("streaming")
def streaming(
    dataset: DatasetArgument,
    method: Annotated[str, typer.Option("--method", "-m", help="A method or variant.")] = "decoupled",
    camera: Annotated[str, typer.Option("--camera", "-c", help="A camera.")] = "01",
    seed: Annotated[int, typer.Option("--seed", "-s", help="Seed of the trained job.")] = 0,
) -> None:
    """Score all test video of a camera frame by frame, from the frame store, and compare with batch scoring.

    Example: vad bench streaming ucsd_ped2 --method decoupled
    """
    from flows.benchmark.jobs import plan
    from vad_models.operation.export import load_method
    from vad_models.speed import measure_streaming

    here = project()
    (job,) = plan(here, dataset, [method], [camera], [seed])
    store = here.store(job)
    model = load_method(here.directory(job))
    speed = measure_streaming(model, [video.array() for video in store.videos(camera, "test")])
    console.print(
        f"{job.title}, {model.headline}, {job.frames}, one frame at a time: {speed.frames} frames, "
        f"{speed.frames_per_second:.0f} frames/s; a score after {speed.p50_ms:.1f} ms (p50), "
        f"{speed.p95_ms:.1f} ms (p95), {speed.p99_ms:.1f} ms (p99)\n"
        f"largest difference from batch scoring: {speed.largest_difference:.1e}, "
        f"of scores up to {speed.largest_score:.2g}"
    )


@app.command("sharing")
def sharing(
    dataset: DatasetArgument,
    method: Annotated[str, typer.Option("--method", "-m", help="A method or variant.")] = "ffp",
    trainings: Annotated[
        int | None, typer.Option("--trainings", "-n", help="Number of trainings. Default: one per slot.")
    ] = None,
) -> None:
    """Train one epoch several times: one after the other with all threads, then at once with the threads divided.

    Example: vad bench sharing ucsd_ped2 --method ffp
    """
    from flows.benchmark.jobs import plan
    from flows.execution.slots import cores, slots
    from vad_models.data.clips import Excerpt
    from vad_models.speed import measure_sharing

    here = project()
    job = plan(here, dataset, [method], None, [0])[0]
    store = here.store(job)
    videos = [Excerpt(video, 0, video.frames) for video in store.videos(job.camera, "train")]
    speed = measure_sharing(job.method, job.settings, store.size, videos, trainings or slots(), cores())
    gain = speed.in_sequence_seconds / speed.at_once_seconds
    console.print(
        f"{speed.trainings} trainings of {job.label}, one epoch per phase, on {cores()} cores: "
        f"{speed.in_sequence_seconds:.1f} s in sequence, {speed.at_once_seconds:.1f} s at once "
        f"({gain:.2f} times as fast)"
    )


@app.command("grid")
def grid(
    dataset: DatasetArgument,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help="A method or variant; may be repeated.")
    ] = None,
    camera: Annotated[str, typer.Option("--camera", "-c", help="A camera.")] = "01",
    seed: Annotated[int, typer.Option("--seed", "-s", help="Seed of the trained jobs.")] = 0,
) -> None:
    """Score the brightness x rain grid of the robustness study in one run, then as separate evaluations.

    Example: vad bench grid ucsd_ped2 --method decoupled --method frame_difference
    """
    from flows.benchmark.jobs import plan
    from flows.execution.slots import slots, threads_of_a_job
    from vad_models.studies.conditions import RobustnessSettings, conditions
    from vad_models.studies.grid_speed import measure_grid

    here = project()
    jobs = plan(here, dataset, method or ["decoupled", "frame_difference"], [camera], [seed])
    store = here.store(jobs[0])
    settings = here.params.study("robustness", RobustnessSettings)
    weather = [one for one in conditions(settings) if one.distortion == "weather"]
    directories = [here.directory(job) for job in jobs]
    threads = threads_of_a_job(len(weather))
    speed = measure_grid(directories, store.videos(camera, "test"), weather, slots(), threads)
    console.print(
        f"{speed.conditions} conditions x {speed.methods} method(s), {slots()} at once: {speed.grid_seconds:.0f} s in "
        f"one run, {speed.separate_seconds:.0f} s as {speed.conditions * speed.methods} separate evaluations "
        f"({speed.grid_seconds / speed.separate_seconds:.2f} of the time)"
    )
