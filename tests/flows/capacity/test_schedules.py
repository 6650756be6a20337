from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.benchmark.jobs import plan
from flows.capacity.rehearsal import (
    SEEDS,
    SHANGHAITECH,
    RecordedCamera,
    dataset_of,
    rehearsal_project,
)
from flows.capacity.schedules import (
    Costs,
    make_matrix,
    measured_costs,
    schedule,
)
from tests.conftest import write_settings
from vad_models.errors import JobError
from vad_models.settings import Params, load_params

PARAMS = Params.model_validate(
    {
        "benchmark": {"datasets": ["toy"], "methods": ["slow"]},
        "datasets": {"default": {"profile": "cpu", "frames": ["32x48x1"]}},
        "studies": {
            "robustness": {
                "brightness": [1.0, 0.5],
                "rain": ["none"],
                "distortions": ["fog"],
                "severities": [1, 2],
            }
        },
        "methods": {
            "slow": {"method": "slow", "cpu": {}},
            "both": {"method": "both", "cpu": {"members": {"slow": ["x"]}}},
            "quick": {"method": "quick", "cpu": {}},
        },
    }
)
COSTS = Costs({"slow": 100.0, "quick": 10.0, "both": 0.0}, {"slow": 10.0, "quick": 100.0, "both": 1.0})


def write_results(file: Path) -> None:
    rows = [
        ("conv_ae", "default", "0", "a", 2.0, 50.0),
        ("conv_ae", "default", "0", "a", 2.0, 50.0),  # another signal of the same job
        ("conv_ae", "default", "1", "b", 4.0, 150.0),
        ("conv_ae", "default", "all", "", 3.0, 100.0),
        ("random", "default", "all", "", None, None),
        ("ffp", "optical_flow", "0", "c", 9.0, 30.0),
    ]
    columns = ["method", "variant", "seed", "fingerprint", "train_minutes", "fps_score"]
    pd.DataFrame(rows, columns=columns).to_csv(file, index=False)


def test_costs_are_means_over_the_jobs_of_a_result_table(tmp_path: Path) -> None:
    write_results(tmp_path / "toy.csv")

    costs = measured_costs(
        tmp_path / "toy.csv", {"conv_ae": "conv_ae", "conv_ae_wide": "conv_ae", "ffp_optical_flow": "ffp"}
    )

    assert costs.training == {"conv_ae": 180.0, "conv_ae_wide": 180.0, "ffp_optical_flow": 540.0}
    assert costs.job("conv_ae", test_frames=200) == 180 + 2


def test_a_method_that_was_never_measured_is_named(tmp_path: Path) -> None:
    write_results(tmp_path / "toy.csv")
    with pytest.raises(
        JobError, match="no row of itae: train it with `vad train --dataset toy --method itae`"
    ):
        measured_costs(tmp_path / "toy.csv", {"itae": "itae"})


def test_the_matrix_is_every_method_on_every_camera_from_every_seed() -> None:
    matrix = make_matrix(PARAMS, COSTS, [RecordedCamera(5, 2, 100), RecordedCamera(5, 0, 0)])

    members, combining = matrix.stages
    assert members == (110.0,) * 4 + (100.0,) * 4 + (11.0,) * 4 + (10.0,) * 4
    assert combining == (100.0,) * 4 + (0.0,) * 4
    # Clean, darker, fog of two severities; the camera without test video has no cells.
    assert matrix.cells == (len(SEEDS) * 100 / 10.0,) * 4


def test_the_footage_is_that_of_shanghaitech() -> None:
    assert sum(camera.training_videos for camera in SHANGHAITECH) == 330
    assert sum(camera.test_videos for camera in SHANGHAITECH) == 107
    assert sum(camera.test_frames for camera in SHANGHAITECH) == 40_791


def test_the_matrix_counts_what_the_flow_would_plan(tmp_path: Path) -> None:
    write_settings(tmp_path)
    params = load_params(tmp_path / "params.yaml")
    project = rehearsal_project(tmp_path / "stage", params, SHANGHAITECH)

    jobs = plan(project, dataset_of(project), list(params.methods))

    labels = dict.fromkeys(params.methods, 1.0)
    assert len(jobs) == make_matrix(params, Costs(labels, labels), SHANGHAITECH).jobs == 13 * len(SEEDS)


def test_jobs_go_to_the_slot_that_is_free_first() -> None:
    one = schedule([[3.0, 1.0, 1.0, 2.0]], slots=2)
    assert (one.wall, one.efficiency, one.queued) == (4.0, 7 / 8, 0.0)


def test_a_stage_waits_for_the_one_before() -> None:
    assert schedule([[3.0, 1.0], [1.0]], slots=2).wall == 4.0


def test_overhead_and_start_take_time() -> None:
    one = schedule([[10.0] * 4], slots=2, start=5.0, overhead=1.0)
    assert one.wall == 5 + 2 * 11
    assert one.efficiency == pytest.approx(40 / (27 * 2))


def test_many_slots_are_held_up_by_what_only_one_can_do_at_a_time() -> None:
    one = schedule([[1.0] * 100], slots=100, overhead=1.0, serial=1.0)
    assert one.wall == 1 + 100
    assert one.queued == pytest.approx(sum(range(100)) / (101 * 100))


def test_no_more_slots_are_used_than_there_are_jobs() -> None:
    assert schedule([[2.0]], slots=64).wall == 2.0
