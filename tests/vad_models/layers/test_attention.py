"""Variance attention against Chang et al. 2022, section 3.4."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from vad_models.layers.attention import VarianceAttention


def test_variance_attention_is_equations_7_to_9() -> None:
    torch.manual_seed(0)
    attention, features = VarianceAttention(6), 3 * torch.randn(2, 6, 4, 5)
    with torch.no_grad():
        weights, attended = attention.weights(features), attention(features)
    assert torch.allclose(weights.sum((1, 2, 3)), torch.ones(2))
    matrix = attention.embedding.weight[:, :, 0, 0].detach()
    variances = torch.tensor(
        [
            [[float(np.var((matrix @ image[:, y, x]).numpy())) for x in range(5)] for y in range(4)]
            for image in features
        ]
    )
    expected = variances.exp() / variances.exp().sum((1, 2), keepdim=True)
    assert torch.allclose(weights[:, 0], expected, atol=1e-6)
    assert torch.allclose(attended, features * expected.exp()[:, None], atol=1e-5)


def test_attention_is_where_the_embedding_varies() -> None:
    attention, features = VarianceAttention(4), torch.ones(1, 4, 3, 3)
    nn.init.eye_(attention.embedding.weight.data[:, :, 0, 0])
    features[0, :, 1, 2] = torch.tensor([-3.0, 3.0, -3.0, 3.0])
    assert int(attention.weights(features).argmax()) == 1 * 3 + 2
