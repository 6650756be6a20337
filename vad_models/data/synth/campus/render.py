"""Rendering of a script into pictures: shadows, bodies by depth, wind, light, lens and sensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vad_models.data.synth.campus.actors import Actor
from vad_models.data.synth.campus.cameras import CAMERAS, Camera
from vad_models.data.synth.campus.exact import sine
from vad_models.data.synth.campus.raster import Capsule, Face, Patch, paint, shadow
from vad_models.data.synth.campus.scenery import Scenery, light_of, scenery
from vad_models.data.synth.campus.script import Video, script
from vad_models.data.synth.campus.view import HEIGHT, WIDTH

__all__ = ["Picture", "render"]

_MARGIN = 32  # of the noise beyond the picture, so that it can be shifted
_SINE = (sine(np.arange(256) / 256) * 127).astype(np.int32)
_LEAST_VISIBLE = 12  # pixels of an anomaly that count as seen


@dataclass(frozen=True)
class Picture:
    """A frame, uint8 (H, W, 3) RGB, with a mask of each visible kind of anomaly, bool (H, W)."""

    frame: NDArray[np.uint8]
    sightings: dict[str, NDArray[np.bool_]]

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Mask of all abnormal pixels, (H, W), 0 or 1."""
        mask = np.zeros((HEIGHT, WIDTH), bool)
        for seen in self.sightings.values():
            mask |= seen
        return mask.astype(np.uint8)


@cache
def _gain(number: int) -> NDArray[np.int32]:
    """Compute colour cast, exposure and vignetting of a camera, (H, W, 3) in 1/4096."""
    camera = CAMERAS[number - 1]
    x = (np.arange(WIDTH) - WIDTH / 2)[None, :] / (WIDTH / 2)
    y = (np.arange(HEIGHT) - HEIGHT / 2)[:, None] / (WIDTH / 2)
    falloff = 1.12 * camera.brightness * (1 - camera.vignette * (x * x + y * y) * 0.75)
    return (falloff[..., None] * 16 * np.array(camera.cast, np.float64)).astype(np.int32)


def _grain(video: Video, amplitude: int) -> NDArray[np.int32]:
    """Draw nearly Gaussian sensor noise, mostly in brightness, a little in colour; it is larger than a picture."""
    raw = video.dice(3).bytes(HEIGHT + _MARGIN, WIDTH + _MARGIN, 7).astype(np.int32)
    grey = raw[..., :4].sum(axis=2, dtype=np.int32)[..., None] - 510
    return (grey + 2 * (raw[..., 4:] - 127)) * amplitude // 420


def _region(patch: Patch) -> tuple[slice, slice]:
    height, width = patch.alpha.shape
    return slice(patch.top, patch.top + height), slice(patch.left, patch.left + width)


def _cast_shadow(
    canvas: NDArray[np.int32], parts: list[Capsule | Face], camera: Camera, scene: Scenery
) -> None:
    patch = shadow(
        parts, camera.view, camera.lean if camera.sunny else (0.02, 0.02), 2.5 if camera.sunny else 7.0
    )
    if patch is None:
        return
    rows, columns = _region(patch)
    open_ground = np.isinf(scene.depth[rows, columns])
    strength = scene.sunlit[rows, columns] * 42 // 100 if camera.sunny else 92
    alpha = (patch.alpha * strength * open_ground)[..., None]
    canvas[rows, columns] -= canvas[rows, columns] * alpha >> 16


def _draw_actor(
    canvas: NDArray[np.int32],
    owner: NDArray[np.int32],
    tag: int,
    layers: list[list[Capsule | Face]],
    foot: tuple[float, float, float],
    camera: Camera,
    scene: Scenery,
) -> None:
    """Paint a body where nothing is nearer, in the light at its foot; `owner` becomes `tag` where it is visible."""
    column, row = min(WIDTH - 1, max(0, int(foot[0]))), min(HEIGHT - 1, max(0, int(foot[1])))
    sun = int(scene.sunlit[row, column]) if camera.sunny else 256
    exposure = 176 + sun * 104 // 256
    light, ambient = light_of(camera)
    for parts in layers:
        patch = paint(parts, camera.view, light, ambient)
        if patch is None:
            continue
        rows, columns = _region(patch)
        alpha = np.where(scene.depth[rows, columns] < foot[2] - 0.1, 0, patch.alpha)
        target = canvas[rows, columns]
        target += ((patch.colour * exposure >> 8) - target) * alpha[..., None] >> 8
        owner[rows, columns][alpha > 128] = tag


def _weather(scene: Scenery, frame: int, gust: float) -> NDArray[np.int32]:
    """Move the leaves of the still picture with the wind."""
    canvas = scene.still.astype(np.int32)
    swell = int((0.45 + 0.55 * sine(frame / 61)) * gust * 256)
    pull = 128 + (_SINE[(scene.lag + frame * 9) & 255] * swell >> 8)
    flat = canvas.reshape(-1, 3)
    calm = flat[scene.leaves]
    pushed = scene.swayed.reshape(-1, 3)[scene.leaves].astype(np.int32)
    flat[scene.leaves] = calm + ((pushed - calm) * pull[:, None] >> 8)
    return canvas


def render(video: Video) -> Iterator[Picture]:
    """Render the pictures of a video, in order."""
    camera, scene, play = CAMERAS[video.camera - 1], scenery(video.camera, video.seed), script(video)
    gain, grain, dice = _gain(video.camera), _grain(video, camera.noise), video.dice(4)
    for frame in range(play.frames):
        canvas = _weather(scene, frame, play.gust)
        owner = np.zeros((HEIGHT, WIDTH), np.int32)
        present: list[tuple[tuple[float, float, float], Actor, list[list[Capsule | Face]]]] = []
        for actor in play.actors:
            if actor.first <= frame < actor.last:
                place = actor.place(frame)
                foot = camera.view.project((place.x, place.y, 0.0))
                if foot[2] > 2 and -160 < foot[0] < WIDTH + 160 and -40 < foot[1] < HEIGHT + 160:
                    present.append((foot, actor, list(actor.layers(frame))))
        for _, _, layers in present:
            _cast_shadow(canvas, [part for layer in layers for part in layer], camera, scene)
        present.sort(key=lambda item: -item[0][2])
        tags: dict[int, str] = {}
        for tag, (foot, actor, layers) in enumerate(present, start=1):
            _draw_actor(canvas, owner, tag, layers, foot, camera, scene)
            if actor.kind is not None and actor.abnormal[0] <= frame < actor.abnormal[1]:
                tags[tag] = actor.kind
        sightings: dict[str, NDArray[np.bool_]] = {}
        for tag, kind in tags.items():
            seen = owner == tag
            if int(seen.sum()) >= _LEAST_VISIBLE:
                sightings[kind] = sightings.get(kind, seen) | seen

        swing = 4096 + play.swing * sine(frame / 90) + dice.integer(-10, 11)
        canvas = canvas * (gain * int(swing) >> 12) >> 12
        top, left = dice.integer(0, _MARGIN), dice.integer(0, _MARGIN)
        canvas += grain[top : top + HEIGHT, left : left + WIDTH]
        yield Picture(np.clip(canvas, 0, 255).astype(np.uint8), sightings)
