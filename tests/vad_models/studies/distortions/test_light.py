"""Light: by what it multiplies the intensities."""

from __future__ import annotations

import pytest
import torch

from tests.vad_models.studies.distortions.test_distortions import footage
from vad_models.studies.distortions import SEVERITIES, distort
from vad_models.studies.distortions.kinds import Moment
from vad_models.studies.distortions.light import brightness, colour_cast, over_exposure

MOMENT = Moment("a", 0, 0)
FRAMES = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("severity", "factor"), zip(SEVERITIES, (0.9, 0.8, 0.7, 0.6, 0.5), strict=True))
def test_less_light_is_a_factor(severity: int, factor: float) -> None:
    assert torch.allclose(brightness(FRAMES, severity, MOMENT), factor * FRAMES)


@pytest.mark.parametrize(("severity", "factor"), zip(SEVERITIES, (1.2, 1.4, 1.6, 1.8, 2.0), strict=True))
def test_too_much_light_is_a_factor_and_the_video_is_cut_at_white(severity: int, factor: float) -> None:
    assert torch.allclose(over_exposure(FRAMES, severity, MOMENT), factor * FRAMES)
    video = footage(frames=1)
    seen = distort(video, "over_exposure", severity, "a")
    assert seen[video == 200].tolist() == [min(255, round(200 * factor))] * int((video == 200).sum())


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_cast_raises_red_lowers_blue_and_leaves_green(severity: int) -> None:
    shift = 0.08 * severity
    red, green, blue = (colour_cast(FRAMES, severity, MOMENT) / FRAMES).unbind(1)
    assert torch.allclose(red, torch.full_like(red, 1 + shift))
    assert torch.allclose(green, torch.ones_like(green))
    assert torch.allclose(blue, torch.full_like(blue, 1 - shift))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_grey_picture_keeps_the_luma_of_the_cast_one(severity: int) -> None:
    grey = FRAMES[:, :1]
    cast = colour_cast(grey.expand(-1, 3, -1, -1), severity, MOMENT)
    luma = (cast * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert torch.allclose(colour_cast(grey, severity, MOMENT), luma)


@pytest.mark.parametrize("function", [brightness, over_exposure, colour_cast])
def test_light_is_the_same_in_every_frame_and_video(function) -> None:  # type: ignore[no-untyped-def]
    assert torch.equal(function(FRAMES, 3, MOMENT), function(FRAMES, 3, Moment("b", 90, 7)))
