"""Motion models of `decoupled`, which judge codes by past codes (Li, Leroux, Simoens 2021, sections 3.2 and 6.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from vad_models.layers.autoregression import AutoregressiveEstimator
from vad_models.layers.conv_lstm import ConvLSTM
from vad_models.layers.temporal import HalvingConv3d

__all__ = [
    "AutoregressiveMotion",
    "Conv3dMotion",
    "ConvLSTMMotion",
    "MotionKind",
    "MotionModel",
    "motion_model",
]

MotionKind = Literal["conv3d", "conv_lstm", "autoregressive"]


class MotionModel(nn.Module, ABC):
    """Compares the code of a frame with what the codes of earlier frames let expect."""

    @abstractmethod
    def judge(self, past: Tensor, actual: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the expected codes and the errors of the actual ones.

        Args:
            past: codes of k earlier frames, float32 (n, k, D, h, w).
            actual: codes to judge, float32 (n, D, h, w).

        Returns:
            The expected codes, and the error of each element, higher = less expected. Both are float32 (n, D, h, w).
        """


class PredictiveMotion(MotionModel):
    """A motion model that predicts the code; its error is the squared difference (eq. 2, before the mean)."""

    def judge(self, past: Tensor, actual: Tensor) -> tuple[Tensor, Tensor]:
        predicted: Tensor = self(past)
        return predicted, (predicted - actual).square()


class Conv3dMotion(PredictiveMotion):
    """Three 3x3x3 convolutions with stride 2 in time and 1 in space (section 3.2), then a 1x1 convolution to the code.

    Args:
        code: channels of the code (D).
        hidden: channels of the three convolutions.

    Shape:
        float32 (n, k, D, h, w) -> float32 (n, D, h, w).
    """

    def __init__(self, code: int, hidden: int) -> None:
        super().__init__()
        widths = (code, hidden, hidden, hidden)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(HalvingConv3d(i, o), nn.BatchNorm3d(o), nn.LeakyReLU(0.1, inplace=True))
                for i, o in pairwise(widths)
            ]
        )
        self.head = nn.Conv2d(hidden, code, 1)

    def forward(self, past: Tensor) -> Tensor:
        """Past codes (n, k, D, h, w) -> predicted code (n, D, h, w)."""
        code: Tensor = self.head(self.blocks(past.transpose(1, 2))[:, :, -1])
        return code


class ConvLSTMMotion(PredictiveMotion):
    """One ConvLSTM layer, about as large as the convolutions of `Conv3dMotion`, then a 1x1 convolution to the code.

    Args:
        code: channels of the code (D).
        hidden: channels of the ConvLSTM layer.

    Shape:
        float32 (n, k, D, h, w) -> float32 (n, D, h, w).
    """

    def __init__(self, code: int, hidden: int) -> None:
        super().__init__()
        self.memory = ConvLSTM(code, hidden)
        self.head = nn.Conv2d(hidden, code, 1)

    def forward(self, past: Tensor) -> Tensor:
        """Past codes (n, k, D, h, w) -> predicted code (n, D, h, w)."""
        code: Tensor = self.head(self.memory(past)[:, -1])
        return code


class AutoregressiveMotion(MotionModel):
    """A density of the code as in Abati et al. 2019; the error is the negative log-likelihood per element, in nats.

    An element of a cell is conditioned on the past codes around the cell and on the earlier elements of the same code.
    The expected code (the mean of each element's distribution) has therefore seen part of the actual one.

    Args:
        code: channels of the code (D).
        hidden: channels inside, divided among the elements of the code.
        inputs: number of past codes (k).
    """

    PAST = 2
    """Number of earlier steps that each layer sees."""

    def __init__(self, code: int, hidden: int, inputs: int) -> None:
        super().__init__()
        layers = -(-inputs // self.PAST)
        channels = (max(1, hidden // code),) * (layers - 1)
        self.estimator = AutoregressiveEstimator(code, channels, past=self.PAST, kernel=3)

    def judge(self, past: Tensor, actual: Tensor) -> tuple[Tensor, Tensor]:
        codes = torch.cat([past, actual[:, None]], dim=1).sigmoid()
        distributions = self.estimator(codes, steps=1)
        expected = self.estimator.expected(distributions).logit()
        return expected[:, 0], self.estimator.surprise_of(distributions, codes)[:, 0]


def motion_model(kind: MotionKind, code: int, hidden: int, inputs: int) -> MotionModel:
    """Build a motion model.

    Args:
        kind: which one.
        code: channels of the code (D).
        hidden: channels inside the model.
        inputs: number of past codes (k).
    """
    if kind == "autoregressive":
        return AutoregressiveMotion(code, hidden, inputs)
    return {"conv3d": Conv3dMotion, "conv_lstm": ConvLSTMMotion}[kind](code, hidden)
