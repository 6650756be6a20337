"""Arithmetic with the same bits everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vad_models.data.synth.campus.exact import Dice, cosine, fractal_noise, lattice_hash, sine, smoothstep


def test_sine_is_the_sine_for_scalars_and_arrays_alike() -> None:
    turns = np.linspace(-3.0, 3.0, 1201)
    assert np.abs(sine(turns) - np.sin(2 * np.pi * turns)).max() < 1e-6
    assert [sine(float(turn)) for turn in turns] == sine(turns).tolist()
    assert cosine(0.0) == pytest.approx(1.0, abs=1e-6)


def test_hash_is_pinned_and_spread_evenly() -> None:
    x, y = np.meshgrid(np.arange(200), np.arange(200))
    values = lattice_hash(x.astype(np.int64), y.astype(np.int64), 7)
    assert values.min() >= 0 and values.max() < 1
    assert values.mean() == pytest.approx(0.5, abs=0.01)
    assert values.std() == pytest.approx(math.sqrt(1 / 12), abs=0.01)


def test_noise_is_smooth_and_within_bounds() -> None:
    x = np.arange(0.0, 20.0, 0.01)
    noise = fractal_noise(x, np.zeros_like(x), 3)
    assert noise.min() >= 0 and noise.max() < 1
    assert np.abs(np.diff(noise)).max() < 0.1


def test_smoothstep_ends_flat() -> None:
    assert smoothstep(0.0, 2.0, np.array([-1.0, 0.0, 1.0, 2.0, 3.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_dice_depend_on_their_name_alone() -> None:
    first, again, other = Dice(7, 1, 2), Dice(7, 1, 2), Dice(7, 2, 1)
    rolls = [first.uniform() for _ in range(50)]
    assert rolls == [again.uniform() for _ in range(50)]
    assert rolls != [other.uniform() for _ in range(50)]
    assert sorted(Dice(1).shuffled("abcdef")) == list("abcdef")
