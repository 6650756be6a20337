"""Branches of patches: what they hold, and how their errors become a frame's scores (Luo et al. 2019, section 3.6)."""

from __future__ import annotations

import pytest
import torch

from vad_models.errors import SettingsError
from vad_models.layers.branches import PatchBranches


def test_branches_are_the_frames_and_their_maximum_over_the_last_four() -> None:
    patches = torch.randn(2, 8, 21, 5)
    branches = PatchBranches({"spatial": 1.0, "temporal": 0.5}, 5, None)(patches)
    assert torch.equal(branches["spatial"], patches[:, 3:])
    for frame in range(5):
        assert torch.equal(branches["temporal"][:, frame], patches[:, frame : frame + 4].amax(1))
    varied = PatchBranches({"motion": 1.0}, 5, None)(patches)["motion"]
    for frame in range(5):
        four = patches[:, frame : frame + 4]
        assert torch.equal(varied[:, frame], four.amax(1) - four.amin(1))
    early = PatchBranches({"early": 1.0}, 5, None)
    assert early.channels == {"early": 10}
    assert torch.equal(early(patches)["early"], torch.cat([branches["spatial"], branches["temporal"]], -1))
    alone = PatchBranches({"spatial": 1.0}, 5, None)
    assert alone.warmup == 0
    assert torch.equal(alone(patches)["spatial"], patches)


def test_components_are_the_principal_axes_of_a_branch_with_mean_squared_length_one() -> None:
    torch.manual_seed(0)
    patches = torch.randn(4, 9, 21, 3) @ torch.diag(torch.tensor([5.0, 2.0, 0.01])) + 7
    branches = PatchBranches({"spatial": 1.0, "temporal": 0.5}, 3, 2)
    branches.fit(patches)
    for values in branches(patches).values():
        assert values.shape[-1] == 2
        rows = values.flatten(0, -2)
        assert torch.allclose(rows.mean(0), torch.zeros(2), atol=1e-4)
        assert rows.square().sum(-1).mean().item() == pytest.approx(1.0, rel=1e-3)
        variances = torch.cov(rows.T)
        assert abs(variances[0, 1]) < 1e-4
        assert variances[0, 0] > variances[1, 1]


def test_too_many_components_are_refused() -> None:
    with pytest.raises(SettingsError, match="components = 9 is more than the 8 channels of the early branch"):
        PatchBranches({"early": 1.0}, 4, 9)


def test_the_fused_score_adds_the_largest_errors_by_their_range_on_normal_video() -> None:
    branches = PatchBranches({"spatial": 1.0, "temporal": 0.5}, 4, None)
    branches.calibrate({"spatial": torch.tensor([2.0, 4.0, 3.0]), "temporal": torch.tensor([10.0, 30.0])})
    errors = {"spatial": torch.zeros(1, 21), "temporal": torch.zeros(1, 21)}
    errors["spatial"][0, 4], errors["temporal"][0, 9] = 6.0, 20.0
    scores = branches.scores(errors)
    assert scores["spatial"].tolist() == [6.0]
    assert scores["temporal"].tolist() == [20.0]
    assert scores["fused"].tolist() == [2.0 + 0.5 * 0.5]


def test_the_patches_of_a_frame_can_be_averaged() -> None:
    error = torch.rand(3, 21)
    scores = PatchBranches({"motion": 1.0}, 4, None, pool="mean").scores({"motion": error})
    assert torch.allclose(scores["motion"], error.mean(-1))


def test_a_branch_that_does_not_exist_scores_nothing() -> None:
    scores = PatchBranches({"temporal": 1.0}, 4, None).scores({"temporal": torch.rand(3, 21)})
    assert scores["spatial"].tolist() == [0.0, 0.0, 0.0]
    assert torch.equal(scores["fused"], scores["temporal"])


def test_the_error_map_is_the_mean_of_the_patches_over_a_cell() -> None:
    error = torch.zeros(1, 21)
    error[0, 0] = 3.0  # 1x1
    error[0, 1 + 1] = 6.0  # 2x2: upper right
    error[0, 5 + 4 * 1 + 2] = 9.0  # 4x4: second row, third column
    expected = torch.ones(4, 4)
    expected[:2, 2:] += 2
    expected[1, 2] += 3
    assert torch.allclose(PatchBranches({"spatial": 1.0}, 4, None).error_map({"spatial": error})[0], expected)


def test_standardised_errors_are_deviations_from_those_of_training_in_the_same_place() -> None:
    torch.manual_seed(0)
    branches = PatchBranches({"spatial": 1.0}, 4, None, standardise=True).train()
    usual = torch.linspace(1, 3, 21)
    for _ in range(1000):
        branches.watch({"spatial": usual + 0.1 * torch.randn(8, 2, 21)})
    branches.eval()
    errors = usual.repeat(21, 1) + 0.5 * torch.eye(21)  # one patch after the other is unusual
    found = branches.scores({"spatial": errors})["spatial"]
    assert torch.allclose(found, torch.full((21,), 5.0), rtol=0.1)
    before = branches.usual["spatial"].running_mean.clone()  # type: ignore[operator, union-attr]
    branches.watch({"spatial": 100 * errors})
    assert torch.equal(branches.usual["spatial"].running_mean, before)  # type: ignore[arg-type]
