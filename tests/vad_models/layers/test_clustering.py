"""Deep k-means against Chang et al. 2022, section 3.5."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vad_models.layers.clustering import DeepKMeans


def test_deep_k_means_is_equation_10() -> None:
    torch.manual_seed(0)
    clusters, representations = DeepKMeans(3, 4, alpha=5.0), F.normalize(torch.randn(1, 4, 2, 2), dim=1)
    with torch.no_grad():
        found = clusters(representations)
        for y in range(2):
            for x in range(2):
                lengths = [(representations[0, :, y, x] - centre).norm() for centre in clusters.centres]
                weights = [torch.exp(-5 * length) for length in lengths]
                expected = sum(w * d**2 for w, d in zip(weights, lengths, strict=True)) / sum(weights)
                assert found[0, y, x] == pytest.approx(float(expected), rel=1e-4)


def test_deep_k_means_has_the_gradients_of_finite_differences() -> None:
    torch.manual_seed(0)
    clusters = DeepKMeans(5, 3, alpha=25.0).double()
    representations = F.normalize(torch.randn(2, 3, 2, 2, dtype=torch.float64), dim=1).requires_grad_()

    def distance(r: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(clusters, {"centres": centres}, (r,))

    assert torch.autograd.gradcheck(distance, (representations, clusters.centres))


def test_exclusive_assignment_is_the_distance_from_the_nearest_centre() -> None:
    torch.manual_seed(0)
    clusters, representations = DeepKMeans(4, 3, alpha=1e4), F.normalize(torch.randn(1, 3, 5, 5), dim=1)
    cells = representations[0].flatten(1).T
    expected = torch.cdist(cells, clusters.centres).square().amin(1)
    assert torch.allclose(clusters(representations).flatten(), expected, atol=1e-4)


def test_the_first_centres_are_the_k_means_of_what_they_are_fitted_to() -> None:
    torch.manual_seed(0)
    clusters, kinds = DeepKMeans(2, 6, alpha=25.0), F.normalize(torch.randn(2, 6), dim=1)
    clusters.fit(kinds.repeat(20, 1) + 1e-3 * torch.randn(40, 6))
    assert (torch.cdist(kinds, clusters.centres).amin(1) < 0.01).all()
