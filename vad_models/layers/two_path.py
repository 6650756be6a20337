"""Two-path autoencoder of clips (Cho, Kim, Lee, Table 1): an appearance and a motion path, and one decoder."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vad_models.layers.conv3d import conv3d_block, upsample3d, upsample3d_block

__all__ = ["EVERY", "Codes", "TwoPathAE"]

EVERY = 4
"""Distance between the frames that the appearance path sees (tau in the paper)."""


class Codes(NamedTuple):
    """Codes of m clips."""

    appearance: Tensor
    """Code of the appearance path, (m, D, T / 4, h, w)."""
    motion: Tensor | None
    """Code of the motion path, (m, D', T, h, w); None if there is no such path."""
    both: Tensor
    """Input of the decoder, (m, D + 2 D', T / 4, h, w)."""


class TwoPathAE(nn.Module):
    """Two encoders with lateral connections, and one decoder (Table 1).

    Args:
        channels: channels of a frame (C).
        slow: channels of the appearance path's layers; the last is D.
        fast: channels of the motion path's layers, of which the last is D'; None leaves the path out.
        halvings: number of times that height and width are halved, 2 or 3.

    Shape:
        float32 (m, C, T, H, W) -> float32 (m, C, T, H, W). T must be a multiple of 4.
    """

    def __init__(
        self,
        channels: int,
        slow: tuple[int, int, int, int],
        fast: tuple[int, int, int, int] | None,
        halvings: Literal[2, 3],
    ) -> None:
        super().__init__()
        halved = [(1, 2, 2) if layer < halvings else (1, 1, 1) for layer in range(4)]
        lateral = [2 * width for width in fast] if fast else [0] * 4
        slow_inputs = [channels, *(slow[layer] + lateral[layer] for layer in range(3))]
        slow_kernels = [(1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3)]
        self.slow = nn.ModuleList(
            [conv3d_block(slow_inputs[i], slow[i], halved[i], slow_kernels[i]) for i in range(4)]
        )
        self.fast, self.lateral = nn.ModuleList(), nn.ModuleList()
        if fast:
            for layer, (inputs, outputs) in enumerate(zip((channels, *fast[:3]), fast, strict=True)):
                kernel = (5, 3, 3) if layer == 0 else (3, 3, 3)
                self.fast.append(conv3d_block(inputs, outputs, halved[layer], kernel))
                # As in SlowFast: twice the channels, and one time step for every four.
                self.lateral.append(
                    nn.Conv3d(outputs, 2 * outputs, (5, 1, 1), stride=(EVERY, 1, 1), padding=(2, 0, 0))
                )
        widths = (slow[3] + lateral[3], slow[3], slow[1], slow[0])
        grown = [(1, 1, 1), (2, 2, 2), (2, 2, 2)] if halvings == 3 else [(1, 1, 1), (2, 1, 1), (2, 2, 2)]
        last = upsample3d(widths[3], channels, (1, 2, 2))
        # From random weights the output first becomes constant, and a sparse foreground then takes long to appear.
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.decoder = nn.Sequential(
            *[upsample3d_block(i, o, step) for i, o, step in zip(widths, widths[1:], grown, strict=False)],
            last,
        )

    def encode(self, clip: Tensor) -> Codes:
        """Encode clips (m, C, T, H, W)."""
        slow, fast, motion = clip[:, :, ::EVERY], clip, None
        appearance = slow
        for layer, block in enumerate(self.slow):
            appearance = slow = block(slow)
            if self.fast:
                motion = fast = self.fast[layer](fast)
                slow = torch.cat([slow, self.lateral[layer](fast)], dim=1)
        return Codes(appearance, motion, slow)

    def forward(self, clip: Tensor) -> Tensor:
        """Reconstruct clips: (m, C, T, H, W) -> (m, C, T, H, W)."""
        rebuilt: Tensor = self.decoder(self.encode(clip).both)
        return rebuilt
