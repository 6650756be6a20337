"""The autoregressive estimator: nothing leaks from later elements, and what it gives is a probability."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from vad_models.layers.autoregression import AutoregressiveEstimator, MaskedStackedConvolution

STEPS, LENGTH = 3, 4


def seeded(**settings: int) -> AutoregressiveEstimator:
    torch.manual_seed(0)
    return AutoregressiveEstimator(LENGTH, channels=(3, 2), bins=5, **settings)


def dependence(outputs: Tensor, codes: Tensor) -> Tensor:
    """Which outputs (m, k) of one code change with which of its elements: bool (m, codes.numel())."""
    rows = [
        sum(torch.autograd.grad(value, codes, retain_graph=True)[0].abs() for value in row) for row in outputs
    ]
    return torch.stack([row.flatten() for row in rows]) > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("strict", [True, False])
def test_the_jacobian_of_a_masked_layer_is_triangular(strict: bool) -> None:
    torch.manual_seed(0)
    layer = MaskedStackedConvolution(LENGTH, 1, 2, strict)
    codes = torch.rand(1, STEPS, LENGTH, 1, 1, requires_grad=True)
    found = dependence(layer(codes).reshape(STEPS * LENGTH, 2), codes)
    assert not found.triu(0 if strict else 1).any()
    # All that may be seen is seen: the step before, whole, and the elements before of the own step.
    order = torch.arange(STEPS * LENGTH)
    allowed = order[:, None] - order > 0 if strict else order[:, None] - order >= 0
    assert torch.equal(found, allowed & (order[:, None] // LENGTH - order // LENGTH <= 1))


@pytest.mark.parametrize("settings", [{}, {"past": 2, "kernel": 3}])
def test_the_jacobian_of_the_estimator_is_strictly_triangular(settings: dict[str, int]) -> None:
    estimator = seeded(**settings)
    codes = torch.rand(1, STEPS, LENGTH, 1, 1, requires_grad=True)
    found = dependence(estimator(codes).reshape(STEPS * LENGTH, 5), codes)
    assert torch.equal(found, torch.ones_like(found).tril(-1))


def test_of_the_steps_before_a_neighbourhood_is_seen_and_of_the_own_step_only_the_own_cell() -> None:
    estimator = seeded(kernel=3)
    codes = torch.rand(1, 2, LENGTH, 7, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(estimator(codes)[0, 1, -1, 0, 3, 3], codes)
    touched = gradient[0].abs().sum(1) > 0
    # The head has no neighbourhood; the way through one of two 3x3 layers leads one cell far.
    assert touched[0].nonzero().amin(0).tolist() == [2, 2] and touched[0].nonzero().amax(0).tolist() == [4, 4]
    assert touched[1].nonzero().tolist() == [[3, 3]]


@pytest.mark.parametrize("steps", [1, 2])
def test_the_probabilities_of_all_codes_sum_to_one(steps: int) -> None:
    torch.manual_seed(0)
    estimator = AutoregressiveEstimator(2, channels=(3,), bins=4).double()
    centres = (torch.arange(4, dtype=torch.float64) + 0.5) / 4
    every = torch.stack([torch.stack(one) for one in product(centres, repeat=2 * steps)])
    likelihood = (-estimator.surprise(every.reshape(-1, steps, 2, 1, 1)).sum((1, 2))).exp()
    assert likelihood.std() > 0
    assert likelihood.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_the_last_steps_alone_are_the_last_of_all_steps() -> None:
    estimator = seeded(past=2, kernel=3)
    codes = torch.rand(2, 11, LENGTH, 3, 3)
    assert torch.allclose(estimator(codes, 2), estimator(codes)[:, -2:], atol=1e-6)


def test_a_surprise_is_that_of_the_bin_at_its_centre_and_linear_in_probability_between() -> None:
    estimator = seeded()
    codes = torch.tensor([0.1, 0.4, 0.9, 1.0]).reshape(1, 1, LENGTH, 1, 1)
    probabilities = estimator(codes)[0, 0, :, :, 0, 0].exp()
    expected = [probabilities[0, 0], probabilities[1, 1:3].mean(), probabilities[2, 4], probabilities[3, 4]]
    assert torch.allclose((-estimator.surprise(codes)).exp().flatten(), torch.stack(expected), rtol=1e-4)


def test_the_density_of_an_element_integrates_to_one() -> None:
    estimator = AutoregressiveEstimator(1, channels=(), bins=5).double()
    points = ((torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000).reshape(-1, 1, 1, 1, 1)
    assert (5 * (-estimator.surprise(points)).exp()).mean().item() == pytest.approx(1.0, abs=1e-5)


def test_the_expected_code_is_the_mean_over_bin_centres() -> None:
    estimator = seeded()
    distributions = torch.tensor([0.5, 0.5, 1e-9, 1e-9, 1e-9]).log().reshape(1, 1, 1, 5, 1, 1)
    assert estimator.expected(distributions).item() == pytest.approx(0.2, abs=1e-6)


def test_it_learns_a_dependence_between_elements() -> None:
    """Elements are 0.3 or 0.7 by a fair coin, then all the same: ln 2 nats per code, not 4 ln 2."""
    estimator = seeded()
    optimiser = torch.optim.Adam(estimator.parameters(), 0.05)
    for _ in range(250):
        codes = (0.3 + 0.4 * torch.randint(2, (64, 1, 1, 1, 1))).expand(64, 1, LENGTH, 1, 1)
        loss = estimator.surprise(codes).sum((1, 2)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() == pytest.approx(0.693, abs=0.1)
