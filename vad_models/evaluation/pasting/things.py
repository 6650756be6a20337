"""Things made of people and of the scene: a rider on wheels, a cart, a bag, somebody in a foreign texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from vad_models.evaluation.pasting.walkers import MARGIN, Look, Walker

__all__ = ["bag", "cart", "rider", "striped"]

_SHADOW = 0.3
"""Opacity of the shadow that a thing on wheels stands on."""


def rider(walker: Walker, rng: np.random.Generator) -> Look:
    """Draw the person, wider, above two dark rings as far apart as wheels."""
    person = walker.standing
    high, wide = person.mask.shape
    wide = round(wide * rng.uniform(1.2, 1.6))
    size = high - 2 * MARGIN
    radius, reach = max(2, round(0.2 * size)), round(0.35 * size)
    side = radius + reach
    edges = (0, 1, side, side)
    pixels = cv2.copyMakeBorder(cv2.resize(person.pixels, (wide, high)), *edges, cv2.BORDER_REPLICATE)
    mask = cv2.copyMakeBorder(cv2.resize(person.mask, (wide, high)), *edges, cv2.BORDER_CONSTANT)
    trunk = mask[: high // 2].sum(0)  # a shadow on the ground does not count
    middle = round(float(np.average(np.arange(len(trunk)), weights=trunk)))
    rings = np.zeros(mask.shape, np.uint8)
    for centre in (middle - reach, middle + reach):
        cv2.circle(rings, (centre, high - radius - 1), radius, 255, max(1, radius // 4), cv2.LINE_AA)
    ring = rings.astype(np.float32)[..., None] / 255
    pixels = _channels(pixels) * (1 - ring) + rng.uniform(30, 70) * ring
    return Look(pixels, np.maximum(mask, 0.8 * ring[..., 0]), (float(middle), float(high)))


def cart(walker: Walker, video: np.ndarray, rng: np.random.Generator) -> Look:
    """A block on wheels with a shadow under it, larger than the person; its texture is the person's and the scene's."""
    _, height, width, _ = video.shape
    person = walker.standing
    high = min(height, round(walker.height * rng.uniform(1.0, 1.4)))
    wide = min(width, round(walker.height * rng.uniform(1.3, 2.1)))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    scene = video[rng.integers(len(video)), top : top + high, left : left + wide].astype(np.float32)
    texture = (_channels(cv2.resize(person.pixels, (wide, high))) + scene) / 2 + rng.uniform(-40, 40)
    wheel = max(1, high // 7)
    mask = np.zeros((high, wide), np.float32)
    cv2.rectangle(mask, (1, 1), (wide - 2, high - wheel), 1.0, -1)
    for centre in (2 * wheel, wide - 1 - 2 * wheel):
        cv2.circle(mask, (centre, high - 1 - wheel), wheel, 1.0, -1)
    shadow = np.zeros_like(mask)
    cv2.ellipse(shadow, (wide // 2, high - 2), (max(1, wide // 2 - 1), 1), 0, 0, 360, _SHADOW, -1)
    texture[(shadow > 0) & (mask == 0)] = 0
    mask = cv2.GaussianBlur(np.maximum(mask, shadow), (3, 3), 0.7)
    return Look(np.clip(texture, 0, 255), mask, (wide / 2, float(high - 1)))


def bag(walker: Walker, ground: np.ndarray, rng: np.random.Generator) -> Look:
    """A box a third as high as the person, dark or bright as it is, whichever differs more from `ground`, (C,)."""
    person = walker.standing
    high = max(3, round(walker.height * rng.uniform(0.3, 0.4)))
    wide = max(3, round(high * rng.uniform(1.1, 1.5)))
    inside = person.pixels[person.mask > 0.5]
    shades = [np.quantile(inside, share, axis=0) for share in (0.1, 0.9)]
    shade = max(shades, key=lambda one: float(np.abs(one - ground).max()))
    light = np.linspace(1.1, 0.9, high + 2)[:, None, None]  # from above
    pixels = np.clip(shade * light, 0, 255) * np.ones((1, wide + 2, 1))
    mask = np.zeros((high + 2, wide + 2), np.float32)
    mask[1:-1, 1:-1] = 1
    soft = cv2.GaussianBlur(mask, (3, 3), 0.7)
    return Look(pixels.astype(np.float32), soft, (wide / 2 + 1, float(high + 1)))


def striped(looks: Sequence[Look], rng: np.random.Generator) -> list[Look]:
    """The same outlines, filled with slanting stripes as dark and as bright as the person's own pixels are."""
    inside = np.concatenate([look.pixels[look.mask > 0.5] for look in looks])
    dark, bright = (np.quantile(inside, share, axis=0) for share in (0.05, 0.95))
    angle = rng.choice([0.25, 0.75]) * np.pi + rng.uniform(-0.2, 0.2)
    period = max(4.0, looks[0].mask.shape[0] * rng.uniform(0.18, 0.28))
    dressed = []
    for look in looks:
        y, x = np.indices(look.mask.shape, np.float32)
        along = (x - look.foot[0]) * np.cos(angle) + (y - look.foot[1]) * np.sin(angle)
        share = 0.5 + 0.5 * np.clip(2 * np.sin(2 * np.pi * along / period), -1, 1)
        pixels = dark + share[..., None] * (bright - dark)
        dressed.append(replace(look, pixels=pixels.astype(np.float32)))
    return dressed


def _channels(image: np.ndarray) -> np.ndarray:
    """(h, w, C), also of an image that OpenCV has taken the only channel from."""
    return image.reshape(*image.shape[:2], -1)
