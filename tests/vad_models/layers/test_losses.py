"""Losses against independent statements of them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from vad_models.layers.losses import gradient_difference, ms_ssim, ssim


def pair(height: int = 40, width: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(2, 1, height, width, generator=generator)
    return first, (first + 0.2 * torch.randn(first.shape, generator=generator)).clamp(0, 1)


def reference_maps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast times structure, from scipy's Gaussian filter, where the window of 11 fits."""

    def mean(image: np.ndarray) -> np.ndarray:
        blurred: np.ndarray = scipy.ndimage.gaussian_filter(image, 1.5, truncate=5 / 1.5)
        return blurred[5:-5, 5:-5]

    mu1, mu2 = mean(first), mean(second)
    var1, var2 = mean(first**2) - mu1**2, mean(second**2) - mu2**2
    cov = mean(first * second) - mu1 * mu2
    return (2 * mu1 * mu2 + 1e-4) / (mu1**2 + mu2**2 + 1e-4), (2 * cov + 9e-4) / (var1 + var2 + 9e-4)


def test_ssim_equals_a_reference() -> None:
    first, second = pair()
    for found, one, two in zip(ssim(first, second), first, second, strict=True):
        luminance, structure = reference_maps(one[0].double().numpy(), two[0].double().numpy())
        assert float(found) == pytest.approx((luminance * structure).mean(), abs=1e-4)


def test_ms_ssim_equals_a_reference() -> None:
    first, second = pair(96, 112)
    weights = (0.4, 0.35, 0.25)
    for found, one, two in zip(ms_ssim(first, second, weights=weights), first, second, strict=True):
        image1, image2 = one[0].double().numpy(), two[0].double().numpy()
        product = 1.0
        for scale, weight in enumerate(weights):
            luminance, structure = reference_maps(image1, image2)
            product *= (luminance * structure if scale == 2 else structure).mean() ** weight
            image1, image2 = (
                image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))
                for image in (image1, image2)
            )
        assert float(found) == pytest.approx(product, abs=1e-4)


def test_equal_images_have_similarity_1_and_gradients_are_finite() -> None:
    first, second = pair(176, 176)
    assert torch.allclose(ssim(first, first), torch.ones(2))
    assert torch.allclose(ms_ssim(first, first), torch.ones(2))
    second.requires_grad_()
    (ssim(first, second) + ms_ssim(first, second)).sum().backward()
    assert second.grad is not None and torch.isfinite(second.grad).all() and second.grad.abs().sum() > 0


def test_gradient_difference_by_hand() -> None:
    predicted = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    target = torch.zeros(2, 2)
    # x-gradients 1 and 3 (mean 2), y-gradients 0 and 2 (mean 1)
    assert gradient_difference(predicted, target).item() == 3.0
    assert gradient_difference(-predicted, predicted).item() == 0.0
