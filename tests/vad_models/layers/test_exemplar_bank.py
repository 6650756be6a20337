"""Covers, and the nearest example by brute force."""

from __future__ import annotations

import numpy as np
import torch

from vad_models.layers.exemplars import NOWHERE, ExemplarBank, cover, nearest

RNG = np.random.default_rng(0)


def test_a_cover_leaves_nothing_out_and_takes_nothing_twice() -> None:
    vectors = RNG.normal(size=(300, 5)).astype(np.float32)
    chosen = cover(vectors, 1.5, 7)
    assert chosen[0] == 7
    distances = np.linalg.norm(vectors[:, None] - vectors[chosen][None], axis=-1)
    assert distances.min(1).max() <= 1.5
    apart = np.linalg.norm(vectors[chosen][:, None] - vectors[chosen][None], axis=-1)
    assert apart[~np.eye(len(chosen), dtype=bool)].min() > 1.5


def test_the_nearest_is_the_one_that_looking_at_all_finds() -> None:
    regions, cost = 6, 0.4
    near = np.abs(np.arange(regions)[:, None] - np.arange(regions)) <= 1
    examples = RNG.normal(size=(80, 3)).astype(np.float32)
    places, everywhere = RNG.integers(regions, size=80), RNG.random(80) < 0.2
    vectors, region = RNG.normal(size=(50, 3)).astype(np.float32), RNG.integers(regions, size=50)
    distances, indices = nearest(vectors, region, examples, places, everywhere, near, cost)
    for vector, here, distance, index in zip(vectors, region, distances, indices, strict=True):
        costs = {NOWHERE: float(np.linalg.norm(vector))}
        for example in range(80):
            length = float(np.linalg.norm(vector - examples[example]))
            if near[here, places[example]]:
                costs[example] = length
            elif everywhere[example]:
                costs[example] = length + cost
        assert min(costs, key=lambda one: costs[one]) == index
        np.testing.assert_allclose(distance, costs[int(index)], rtol=1e-5)


def test_without_examples_the_nearest_is_an_empty_place() -> None:
    bank = ExemplarBank(3, 8)
    distances, indices = bank.nearest(
        np.ones((2, 3), np.float32), np.array([0, 1]), np.eye(2, dtype=bool), 0.1
    )
    np.testing.assert_allclose(distances, np.sqrt(3), rtol=1e-6)
    assert indices.tolist() == [NOWHERE, NOWHERE]


def test_a_version_is_added_and_forgotten() -> None:
    bank = ExemplarBank(3, 8)
    for version in (0, 1, 2):
        bank.add(
            np.full((2, 3), version, np.float32),
            np.array([0, 1]),
            np.zeros((2, 2), np.int64),
            np.zeros(2, np.float32),
            np.zeros(2, bool),
            np.zeros((2, 8, 8), np.uint8),
            version,
        )
    assert (len(bank), bank.newest) == (6, 2)
    before = {name: values[:2].clone() for name, values in bank.state_dict().items() if name != "scale"}
    bank.forget(1)
    assert (len(bank), bank.newest) == (2, 0)
    assert all(torch.equal(values, bank.state_dict()[name]) for name, values in before.items())
