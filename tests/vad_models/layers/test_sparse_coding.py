"""Sparse coding against eq. 1 to 8 and 10 to 14 of Luo et al. 2019, and against an independent solver."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import nnls
from torch import Tensor

from vad_models.layers.sparse_coding import (
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
