"""The promote deployment: by comparison, or a version that somebody names with a reason."""

from __future__ import annotations

import logging

import pytest

from flows.project.project import Project
from flows.registry.choice import choose
from flows.registry.versions import challenge, load_champion
from flows.service import promote as module
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError, SettingsError

promote = module.promote.fn


@pytest.fixture
def registered(project: Project, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two versions of one camera's model, the second of them the champion; the flow runs without a server."""
    monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("test"))
    for method, quality in (("conv_ae", 0.2), ("ffp", 3.0)):
        challenge(project.paths, choose([make_job(method, quality=quality)], [method]), "flow test")
    return project


def test_a_named_version_becomes_champion_with_the_reason_and_the_flow(registered: Project) -> None:
    promote("toy", ["01"], 1, "the new lens", root=registered.paths.root)
    champion = load_champion(registered.paths, "toy", "01")
    assert champion.version == "1"
    assert (champion.tags["promotion"], champion.tags["promotion_by"]) == (
        "champion: the new lens",
        "flow promote",
    )


@pytest.mark.parametrize(
    ("cameras", "version", "reason", "said"),
    [
        (None, 1, "why", "name it in `cameras`"),
        (["01", "02"], 1, "why", "name it in `cameras`"),
        (["01"], 1, None, "give a `reason`"),
        (["01"], None, "why", "give `version` as well"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    registered: Project, cameras: list[str] | None, version: int | None, reason: str | None, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        promote("toy", cameras, version, reason, root=registered.paths.root)
    assert load_champion(registered.paths, "toy", "01").version == "2"


def test_without_finished_jobs_there_is_nothing_to_compare(registered: Project) -> None:
    with pytest.raises(JobError, match="no job of park is finished: run `vad benchmark --dataset park`"):
        promote("park", root=registered.paths.root)


def test_without_a_version_the_finished_jobs_challenge(
    registered: Project, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = make_job("itae", quality=6.0)
    monkeypatch.setattr(module, "current_jobs", lambda project, dataset: [better])
    promote("toy", root=registered.paths.root)
    assert load_champion(registered.paths, "toy", "01").tags["method"] == "itae"
