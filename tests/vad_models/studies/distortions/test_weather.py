"""Weather: streaks that fall, flakes that sway, fog that drifts, and the grid of Li et al. 2021."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.vad_models.studies.distortions.test_distortions import COLOUR, distance, footage
from vad_models.errors import SettingsError
from vad_models.studies.distortions import SEVERITIES, distort
from vad_models.studies.distortions.kinds import Moment
from vad_models.studies.distortions.weather import RAINS, fog, rain, snow, weather

MOMENT = Moment("a", 0, 0)


def test_a_streak_falls() -> None:
    black = np.zeros((2, 64, 96, 1), np.uint8)
    first, second = distort(black, "rain", 1, "a")[..., 0].astype(float)
    shifts = range(-8, 40)
    likeness = [(np.roll(first, shift, axis=0) * second).sum() for shift in shifts]
    assert 0.1 * 64 < shifts[int(np.argmax(likeness))] < 0.4 * 64


def test_drifting_fog_changes_slowly() -> None:
    still = np.repeat(footage()[:1], 60, axis=0)
    fog = distort(still, "fog", 5, "a")
    assert distance(fog[10], fog[11]) < 0.3 * distance(fog[10], fog[50])


@pytest.mark.parametrize("rain", RAINS)
def test_brightness_scales_the_rained_on_picture(rain: str) -> None:
    video = footage(frames=20)
    bright, dark = weather(video, 1.0, rain, "a"), weather(video, 0.5, rain, "a")
    assert distance(0.5 * bright.astype(float), dark) < 1
    assert np.array_equal(weather(video, 1.0, "none", "a"), video)


def test_kinds_of_rain_are_ordered() -> None:
    distances = [distance(weather(footage(frames=20), 1.0, kind, "a"), footage(frames=20)) for kind in RAINS]
    assert distances == sorted(distances) and distances[0] == 0


def test_a_rain_or_brightness_that_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(SettingsError, match="no rain 'monsoon'; there are: none, drizzle, heavy, torrential"):
        weather(footage(), 1.0, "monsoon", "a")
    for brightness in (1.5, 0.0, -0.5):
        with pytest.raises(SettingsError, match=rf"brightness {brightness} is not allowed: .* at most 1"):
            weather(footage(), brightness, "none", "a")


def test_less_light_without_rain_is_a_factor() -> None:
    video = footage(frames=3)
    assert np.array_equal(
        weather(video, 0.6, "none", "a"), (video / 255 * 0.6 * 255).round().astype(np.uint8)
    )


def test_rain_is_the_same_at_any_brightness_and_another_with_another_seed() -> None:
    video = footage(frames=3)
    assert np.array_equal(weather(video, 0.8, "heavy", "a", 1), weather(video, 0.8, "heavy", "a", 1))
    assert not np.array_equal(weather(video, 0.8, "heavy", "a", 1), weather(video, 0.8, "heavy", "a", 2))
    assert not np.array_equal(weather(video, 0.8, "heavy", "a", 1), weather(video, 0.8, "heavy", "b", 1))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_rain_darkens_the_scene_and_lightens_where_it_falls(severity: int) -> None:
    grey = torch.full((2, 1, 64, 96), 0.5)
    rained = rain(grey, severity, MOMENT)
    darkening = 0.95 - 0.06 * severity
    assert float(rained.min()) == pytest.approx(0.5 * darkening, abs=1e-3)
    assert 0.5 * darkening < float(rained.max()) <= 0.8
    assert (rained > 0.5 * darkening + 1e-3).any(2).any(), "streaks"


def test_more_rain_is_the_same_rain_and_more_of_it() -> None:
    black = torch.zeros(1, 1, 64, 96)
    mild, severe = (rain(black, severity, MOMENT) > 0.05 for severity in (1, 5))
    assert 0 < int(mild.sum()) < int(severe.sum())
    assert float(severe[mild].float().mean()) > 0.95


def test_snow_only_lightens_and_falls_on_a_part_of_the_picture() -> None:
    frames = torch.full((1, 3, 64, 96), 0.25)
    few, many = (snow(frames, severity, MOMENT) for severity in (1, 5))
    for snowed in (few, many):
        assert (snowed >= frames).all() and float(snowed.max()) <= 0.95
        assert torch.equal(snowed[:, 0], snowed[:, 2]), "flakes are white"
    assert 0 < float((few > 0.3).float().mean()) < float((many > 0.3).float().mean()) < 0.9


def test_snow_does_not_darken_what_is_whiter() -> None:
    white = torch.ones(1, 1, 64, 96)
    assert torch.equal(snow(white, 5, MOMENT), white)


def test_fog_draws_every_intensity_to_its_own() -> None:
    dark, light = torch.zeros(2, 1, 64, 96), torch.ones(2, 1, 64, 96)
    fogged_dark, fogged_light = fog(dark, 3, MOMENT), fog(light, 3, MOMENT)
    assert (fogged_dark > 0).all() and (fogged_light < 1).all()
    density = fogged_dark / 0.85
    assert torch.allclose(fogged_light, 1 - 0.15 * density, atol=1e-6)
    assert float(density.mean()) == pytest.approx(0.39, abs=0.1)
    assert float(density.std()) > 0.01, "in banks"
    assert torch.allclose(fog(torch.full_like(dark, 0.85), 5, MOMENT), torch.full_like(dark, 0.85))


def test_weather_is_alike_in_all_channels() -> None:
    colour = np.repeat(footage(frames=2), 3, axis=-1)
    assert colour.shape[1:] == tuple(COLOUR)
    for name in ("rain", "snow", "fog"):
        red, green, blue = np.moveaxis(distort(colour, name, 4, "a"), -1, 0)
        assert np.array_equal(red, green) and np.array_equal(green, blue)


def test_each_kind_of_rain_has_more_drops_longer_streaks_and_less_light_than_the_one_before() -> None:
    kinds = [kind for kind in RAINS.values() if kind is not None]
    assert [kind.drops for kind in kinds] == sorted((kind.drops for kind in kinds), reverse=True)
    assert [kind.length for kind in kinds] == sorted(kind.length for kind in kinds)
    assert [kind.darkening for kind in kinds] == sorted((kind.darkening for kind in kinds), reverse=True)
