"""The two-path autoencoder against the paper's Table 1 (Cho, Kim, Lee)."""

from __future__ import annotations

import pytest
import torch

from vad_models.layers.two_path import TwoPathAE

WIDTHS = (4, 6, 8, 10)


@pytest.mark.parametrize(("halvings", "side"), [(2, 8), (3, 4)])
def test_codes_have_the_sizes_of_table_1_and_the_clip_comes_back_in_its_own(halvings: int, side: int) -> None:
    clip = torch.rand(2, 1, 8, 32, 32)
    network = TwoPathAE(1, WIDTHS, (2, 3, 4, 5), halvings).eval()
    appearance, motion, both = network.encode(clip)
    assert appearance.shape == (2, 10, 2, side, side)
    assert motion is not None and motion.shape == (2, 5, 8, side, side)
    assert both.shape == (2, 10 + 2 * 5, 2, side, side)
    assert network(clip).shape == clip.shape


def test_without_a_motion_path_the_decoder_sees_the_appearance_code_alone() -> None:
    appearance, motion, both = TwoPathAE(1, WIDTHS, None, 3).eval().encode(torch.rand(1, 1, 8, 32, 32))
    assert motion is None
    assert torch.equal(appearance, both)


def test_the_appearance_path_sees_every_fourth_frame_and_the_motion_path_all() -> None:
    network = TwoPathAE(1, WIDTHS, (2, 3, 4, 5), 3).eval()
    clip = torch.rand(1, 1, 8, 32, 32)
    other = clip.clone()
    other[:, :, 1:4] = torch.rand(1, 1, 3, 32, 32)
    alone = TwoPathAE(1, WIDTHS, None, 3).eval()
    assert torch.equal(alone.encode(clip).both, alone.encode(other).both)
    assert not torch.equal(network.encode(clip).both, network.encode(other).both)
