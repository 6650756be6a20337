"""Sparse coding against eq. 1 to 8 and 10 to 14 of Luo et al. 2019, and against an independent solver."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import nnls
from torch import Tensor

from vad_models.errors import SettingsError
from vad_models.layers.sparse_coding import (
    PatchStreams,
    gaussian_similarity,
    objective,
    random_columns,
    sista,
    sista_step,
    soft_threshold,
    spectral_bound,
)

SPARSITY, COHERENCE = 0.1, 0.7


@pytest.fixture
def dictionary() -> Tensor:
    torch.manual_seed(0)
    return F.normalize(torch.randn(6, 15), dim=0)


def test_soft_threshold_is_the_papers() -> None:
    assert soft_threshold(torch.tensor([-3.0, 0.5, 1.0, 4.0]), 1.0).tolist() == [0.0, 0.0, 0.0, 3.0]


def test_a_step_descends_the_gradient_of_the_objective(dictionary: Tensor) -> None:
    inputs, before, weight = torch.randn(6), torch.rand(15), torch.tensor(0.3)
    codes = (2 + torch.rand(15)).requires_grad_()  # so far from 0 that no code is thresholded away
    objective(inputs, codes, before, dictionary, weight, SPARSITY).backward()
    stepped = sista_step(inputs, codes, before, dictionary, weight, SPARSITY, 50.0)
    assert codes.grad is not None
    assert torch.allclose(stepped, codes - codes.grad / 50, atol=1e-6)


def test_no_step_raises_the_objective(dictionary: Tensor) -> None:
    inputs, before = torch.randn(4, 21, 6), torch.rand(4, 21, 15)
    weight = COHERENCE * torch.rand(4, 21)
    gamma = spectral_bound(dictionary) + COHERENCE
    codes = torch.rand(4, 21, 15)
    value = objective(inputs, codes, before, dictionary, weight, SPARSITY)
    for _ in range(60):
        codes = sista_step(inputs, codes, before, dictionary, weight, SPARSITY, gamma)
        lower = objective(inputs, codes, before, dictionary, weight, SPARSITY)
        assert (lower <= value + 1e-5).all()
        value = lower


def test_many_steps_find_the_minimum_that_another_solver_finds(dictionary: Tensor) -> None:
    inputs, start, similarity = torch.randn(2, 6), torch.zeros(15), torch.tensor([0.4])
    codes = sista(
        inputs,
        similarity,
        dictionary,
        start,
        SPARSITY,
        COHERENCE,
        spectral_bound(dictionary) + COHERENCE,
        5000,
    )
    weight = COHERENCE * similarity.item()
    # For a >= 0 the L1 norm is linear, and completes the square:
    # 1/2 |x - A a|^2 + l 1'a + w/2 |a - b|^2 = 1/2 |x - A a|^2 + w/2 |a - (b - l / w)|^2 + constant
    stacked = torch.cat([dictionary, weight**0.5 * torch.eye(15)]).double().numpy()
    target = torch.cat([inputs[1], weight**0.5 * (codes[0] - SPARSITY / weight)]).double().numpy()
    expected, _ = nnls(stacked, target)
    assert torch.allclose(codes[1].double(), torch.from_numpy(expected), atol=1e-3)


def test_it_is_the_stacked_recurrent_network_of_eq_6_to_8(dictionary: Tensor) -> None:
    """Layers with the matrices W, U, V of eq. 7, h^(0) = the last layer of the frame before."""
    torch.manual_seed(1)
    inputs, similarity, start = torch.randn(5, 6), torch.rand(4), torch.rand(15)
    gamma, identity = 20.0, torch.eye(15)
    gram = dictionary.T @ dictionary
    expected, last = [], start
    for frame, tie in zip(inputs, [torch.zeros(()), *similarity], strict=True):
        hidden = last
        for layer in range(3):
            same = tie * COHERENCE / gamma * identity  # W^(k), k > 1
            up = identity - (gram + tie * COHERENCE * identity) / gamma  # U^(k)
            drive = dictionary.T @ frame / gamma  # V x_t
            if layer == 0:
                assert torch.allclose(up + same, identity - gram / gamma, atol=1e-6)  # W^(1)
            hidden = F.relu(same @ last + up @ hidden + drive - SPARSITY / gamma)
        last = hidden
        expected.append(last)
    found = sista(inputs, similarity, dictionary, start, SPARSITY, COHERENCE, gamma, 3)
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_gaussian_similarity_is_one_for_equals_and_falls_with_distance() -> None:
    inputs = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0], [100.0, 0.0]])
    found = gaussian_similarity(inputs, 100.0)
    assert found.shape == (3,)
    assert found[0] == 1
    assert found[1].item() == pytest.approx(0.7788, abs=1e-4)  # exp(-25 / 100)
    assert 0 <= found[2] < 1e-6


def test_random_columns_are_patches_of_length_one_however_few_there_are() -> None:
    patches = torch.randn(2, 3, 6)
    columns = random_columns(patches, 20)
    assert columns.shape == (6, 20)
    assert torch.allclose(columns.norm(dim=0), torch.ones(20))
    alike = F.normalize(patches.flatten(0, 1), dim=-1) @ columns
    assert torch.allclose(alike.amax(0), torch.ones(20), atol=1e-5)
    assert torch.allclose(alike.amax(1), torch.ones(6), atol=1e-5)


def test_streams_are_the_frames_and_their_maximum_over_the_last_four() -> None:
    patches = torch.randn(2, 8, 21, 5)
    streams = PatchStreams({"spatial": 1.0, "temporal": 0.5}, 5, None)(patches)
    assert torch.equal(streams["spatial"], patches[:, 3:])
    for frame in range(5):
        assert torch.equal(streams["temporal"][:, frame], patches[:, frame : frame + 4].amax(1))
    early = PatchStreams({"early": 1.0}, 5, None)
    assert early.channels == {"early": 10}
    assert torch.equal(early(patches)["early"], torch.cat([streams["spatial"], streams["temporal"]], -1))
    alone = PatchStreams({"spatial": 1.0}, 5, None)
    assert alone.warmup == 0
    assert torch.equal(alone(patches)["spatial"], patches)


def test_components_are_the_principal_axes_of_a_stream_with_mean_squared_length_one() -> None:
    torch.manual_seed(0)
    patches = torch.randn(4, 9, 21, 3) @ torch.diag(torch.tensor([5.0, 2.0, 0.01])) + 7
    streams = PatchStreams({"spatial": 1.0, "temporal": 0.5}, 3, 2)
    streams.fit(patches)
    for values in streams(patches).values():
        assert values.shape[-1] == 2
        rows = values.flatten(0, -2)
        assert torch.allclose(rows.mean(0), torch.zeros(2), atol=1e-4)
        assert rows.square().sum(-1).mean().item() == pytest.approx(1.0, rel=1e-3)
        variances = torch.cov(rows.T)
        assert abs(variances[0, 1]) < 1e-4
        assert variances[0, 0] > variances[1, 1]


def test_too_many_components_are_refused() -> None:
    with pytest.raises(SettingsError, match="components = 9 is more than the 8 channels of the early stream"):
        PatchStreams({"early": 1.0}, 4, 9)


def test_the_fused_score_adds_the_largest_errors_by_their_range_on_normal_video() -> None:
    streams = PatchStreams({"spatial": 1.0, "temporal": 0.5}, 4, None)
    streams.calibrate({"spatial": torch.tensor([2.0, 4.0, 3.0]), "temporal": torch.tensor([10.0, 30.0])})
    errors = {"spatial": torch.zeros(1, 21), "temporal": torch.zeros(1, 21)}
    errors["spatial"][0, 4], errors["temporal"][0, 9] = 6.0, 20.0
    scores = streams.scores(errors)
    assert scores["spatial"].tolist() == [6.0]
    assert scores["temporal"].tolist() == [20.0]
    assert scores["fused"].tolist() == [2.0 + 0.5 * 0.5]


def test_a_stream_that_does_not_exist_scores_nothing() -> None:
    scores = PatchStreams({"temporal": 1.0}, 4, None).scores({"temporal": torch.rand(3, 21)})
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
    assert torch.allclose(PatchStreams({"spatial": 1.0}, 4, None).error_map({"spatial": error})[0], expected)


def test_standardised_errors_are_deviations_from_those_of_training_in_the_same_place() -> None:
    torch.manual_seed(0)
    streams = PatchStreams({"spatial": 1.0}, 4, None, standardise=True).train()
    usual = torch.linspace(1, 3, 21)
    for _ in range(1000):
        streams.watch({"spatial": usual + 0.1 * torch.randn(8, 2, 21)})
    streams.eval()
    errors = usual.repeat(21, 1) + 0.5 * torch.eye(21)  # one patch after the other is unusual
    found = streams.scores({"spatial": errors})["spatial"]
    assert torch.allclose(found, torch.full((21,), 5.0), rtol=0.1)
    before = streams.usual["spatial"].running_mean.clone()  # type: ignore[operator, union-attr]
    streams.watch({"spatial": 100 * errors})
    assert torch.equal(streams.usual["spatial"].running_mean, before)  # type: ignore[arg-type]
