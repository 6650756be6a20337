"""The report page: whole, offline, the same for the same results."""

from __future__ import annotations

import re

import pytest

from flows.benchmark.report import write_report
from flows.project.paths import Paths
from flows.registry.versions import promote
from flows.results.job_figures import write_job_figures
from flows.results.tables import build_results, write_results
from tests.flows.made_up import SIZE, MakeJob
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError
from vad_models.jobs.finished import FinishedJob


def text_of(page: str) -> str:
    """What a reader sees of the page, spaces collapsed."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_holds_the_numbers_the_champions_and_the_figures(
    paths: Paths, benchmark: list[FinishedJob]
) -> None:
    results = build_results(benchmark)
    write_results(results, paths.results / "toy.csv")
    for camera in ("01", "02"):
        jobs = [finished for finished in benchmark if finished.job.camera == camera]
        promote(paths, jobs, ["conv_ae", "ffp"])
        champion = next(one for one in jobs if (one.job.method, one.job.seed) == ("ffp", 0))
        write_job_figures(champion, FrameStore(paths.frames / "toy" / str(SIZE)))
    page = write_report(paths, "toy").read_text(encoding="utf-8")
    text = text_of(page)

    wanted = (results["camera"] == "all") & (results["method"] == "ffp") & (results["seed"] == "all")
    auc = results[wanted & (results["normalisation"] == "per_video")]["auc_micro"].iloc[0]
    assert f"{auc:.3f} best AUC, ffp" in text
    assert "control: random scores" in text
    assert "models:/toy-camera-02@champion" in text
    assert "of 3 test events found" in text
    assert text.count("few videos") == 2
    assert page.count("data:image/png;base64,") == 2 * 5
    assert page.count("data:image/svg+xml;base64,") == 2


def test_the_page_needs_no_network_and_does_not_change_by_itself(
    paths: Paths, benchmark: list[FinishedJob]
) -> None:
    write_results(build_results(benchmark), paths.results / "toy.csv")
    first = write_report(paths, "toy").read_bytes()
    assert write_report(paths, "toy").read_bytes() == first
    assert not re.findall(rb'(?:src|href)="(?!data:)', first)
    assert b"<script" not in first


def test_jobs_that_the_table_does_not_name_are_left_out(paths: Paths, make_job: MakeJob) -> None:
    write_results(build_results([make_job("ffp")]), paths.results / "toy.csv")
    make_job("conv_ae")
    assert "conv_ae" not in text_of(write_report(paths, "toy").read_text(encoding="utf-8"))


def test_without_labels_the_page_says_so(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job(labelled=False)
    write_results(build_results([finished]), paths.results / "toy.csv")
    promote(paths, [finished], ["conv_ae"])
    text = text_of(write_report(paths, "toy").read_text(encoding="utf-8"))
    assert "There is no labelled test video, so there is no AUC." in text
    assert "order of the methods in params.yaml" in text


def test_without_results_there_is_one_sentence(paths: Paths) -> None:
    with pytest.raises(DataError, match="run `vad benchmark --dataset toy`"):
        write_report(paths, "toy")
