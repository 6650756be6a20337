"""A folded network computes what the network computes in evaluation mode, with fewer operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vad_models.layers.blocks import conv_block
from vad_models.layers.folding import folded


def test_folding_changes_the_operations_and_not_the_outputs() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(conv_block(3, 4, stride=2), conv_block(4, 4))
    for _ in range(5):
        network(torch.randn(8, 3, 16, 16) * 3 + 1)
    network.eval()
    image = torch.randn(2, 3, 16, 16)
    shorter = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in shorter.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(shorter(image), network(image), atol=1e-5)


def test_convolutions_of_clips_are_folded_too() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(2, 3, 3, padding=1), nn.BatchNorm3d(3), nn.ReLU())
    for _ in range(5):
        network(torch.randn(4, 2, 4, 6, 6) * 2 - 1)
    clips = torch.randn(1, 2, 4, 6, 6)
    shorter = folded(network)
    assert [type(module) for module in shorter] == [nn.Conv3d, nn.Identity, nn.ReLU]
    assert torch.allclose(shorter(clips), network.eval()(clips), atol=1e-5)


def test_the_network_itself_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    shorter = folded(network)
    shorter[0].weight.data.zero_()
    assert network.training and not shorter.training
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


class _Apart(nn.Module):
    """A normalisation that follows its convolution in `forward` but not in a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3)
        self.normalisation = nn.BatchNorm2d(2)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.normalisation(self.convolution(image))
        return out


@pytest.mark.parametrize(
    "network",
    [
        _Apart(),
        nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3)),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)),
        nn.Sequential(nn.ConvTranspose2d(1, 2, 2), nn.BatchNorm2d(2)),
    ],
    ids=["not a sequence", "normalisation first", "something in between", "transposed"],
)
def test_a_normalisation_that_follows_no_convolution_in_a_sequence_is_kept(network: nn.Module) -> None:
    torch.manual_seed(0)
    for _ in range(3):
        network(torch.randn(4, 1, 8, 8) * 2 + 1)
    image = torch.randn(1, 1, 8, 8)
    shorter = folded(network)
    assert any(isinstance(module, nn.BatchNorm2d) for module in shorter.modules())
    assert torch.equal(shorter(image), network.eval()(image))
