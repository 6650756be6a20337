"""The report page: complete, offline, and equal for equal results."""

from __future__ import annotations

import re

import pytest

from flows.benchmark.report import write_report
from flows.project.project import Project
from flows.registry.choice import choose
from flows.registry.versions import challenge
from flows.results.job_figures import write_job_figures
from flows.results.tables import build_results, write_results
from tests.flows.made_up import SIZE, MakeJob
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError
from vad_models.jobs.finished import FinishedJob


def text_of(page: str) -> str:
    """Return the visible text of the page, with spaces collapsed."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_holds_the_numbers_the_champions_and_the_figures(
    project: Project, benchmark: list[FinishedJob]
) -> None:
    results = build_results(benchmark)
    write_results(results, project.paths.results / "toy.csv")
    for camera in ("01", "02"):
        jobs = [finished for finished in benchmark if finished.job.camera == camera]
        challenge(project.paths, choose(jobs, ["conv_ae", "ffp"]), "flow test")
        champion = next(one for one in jobs if (one.job.method, one.job.seed) == ("ffp", 0))
        write_job_figures(champion, FrameStore(project.paths.frames / "toy" / str(SIZE)))
    page = write_report(project, "toy").read_text(encoding="utf-8")
    text = text_of(page)

    wanted = (results["camera"] == "all") & (results["method"] == "ffp") & (results["seed"] == "all")
    deployable, papers = (
        results[wanted & (results["normalisation"] == how)]["auc_micro"].iloc[0]
        for how in ("training", "per_video")
    )
    assert (
        f"{deployable:.3f} best AUC, ffp, as it can be deployed, training "
        f"{papers:.3f} the same, as papers report it, per_video"
    ) in text
    assert "AUC training AUC per_video EER" in text
    assert "Promotion champion: the camera had no champion by flow test" in text
    assert "target" not in text
    assert "control: random scores" in text
    assert "models:/toy-camera-02@champion" in text
    assert "of 3 test events found" in text
    assert text.count("few videos") == 2
    assert page.count("data:image/png;base64,") == 2 * 5
    assert page.count("data:image/svg+xml;base64,") == 2


def test_the_page_needs_no_network_and_does_not_change_by_itself(
    project: Project, benchmark: list[FinishedJob]
) -> None:
    write_results(build_results(benchmark), project.paths.results / "toy.csv")
    first = write_report(project, "toy").read_bytes()
    assert write_report(project, "toy").read_bytes() == first
    assert not re.findall(rb'(?:src|href)="(?!data:)', first)
    assert b"<script" not in first


def test_jobs_that_the_table_does_not_name_are_left_out(project: Project, make_job: MakeJob) -> None:
    write_results(build_results([make_job("ffp")]), project.paths.results / "toy.csv")
    make_job("conv_ae")
    assert "conv_ae" not in text_of(write_report(project, "toy").read_text(encoding="utf-8"))


def test_a_target_is_shown_with_whether_it_was_met(project: Project, make_job: MakeJob) -> None:
    write_results(build_results([make_job("ffp", quality=6.0)]), project.paths.results / "toy.csv")
    (project.paths.results / "targets.csv").write_text(
        "dataset,method,normalisation,auc,source\ntoy,ffp,per_video,0.9,the project's own aim\n"
    )
    text = text_of(write_report(project, "toy").read_text(encoding="utf-8"))
    assert "0.90 met" in text
    assert "Targets are the project&#39;s own aim, for the AUC under per_video." in text


def test_without_labels_the_page_says_so(project: Project, make_job: MakeJob) -> None:
    finished = make_job(labelled=False)
    write_results(build_results([finished]), project.paths.results / "toy.csv")
    challenge(project.paths, choose([finished], ["conv_ae"]), "flow test")
    text = text_of(write_report(project, "toy").read_text(encoding="utf-8"))
    assert "There is no labelled test video, so there is no AUC." in text
    assert "order of the methods in params.yaml" in text


def test_without_results_there_is_one_sentence(project: Project) -> None:
    with pytest.raises(DataError, match="run `vad benchmark --dataset toy`"):
        write_report(project, "toy")
