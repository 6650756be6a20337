"""Memories against the formulas of Gong et al. 2019 and Park et al. 2020, one query and one item at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from vad_models.layers.memory import PrototypeMemory, SparseMemory, cosine_similarity, hard_shrink


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def unit(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


def test_cosine_similarity_knows_directions_only() -> None:
    queries, items = torch.randn(5, 8), torch.randn(3, 8)
    found = cosine_similarity(queries, items)
    expected = torch.stack([F.cosine_similarity(query[None], items) for query in queries])
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(cosine_similarity(100 * queries, 0.01 * items), found, atol=1e-6)
    assert found.abs().max() <= 1 + 1e-6


def test_attention_is_a_sparse_distribution() -> None:
    memory = SparseMemory(items=500, channels=16, sharpness=20.0, threshold=0.01)
    attention = memory.attention(torch.randn(7, 16))
    assert attention.shape == (7, 500)
    assert (attention >= 0).all()
    assert torch.allclose(attention.sum(-1), torch.ones(7), atol=1e-5)
    used = (attention > 0).sum(-1)
    assert (used >= 1).all()
    assert (used <= 100).all()  # each had more than 0.01 of 1 before the others were dropped


def test_attention_does_not_depend_on_the_length_of_a_code() -> None:
    memory = SparseMemory(items=50, channels=8, sharpness=10.0, threshold=0.02)
    code = torch.randn(4, 8)
    assert torch.allclose(memory.attention(code), memory.attention(30 * code), atol=1e-5)


def test_shrinkage_is_the_papers() -> None:
    weights, threshold = torch.randn(6, 20).mul(2).softmax(-1), 0.04
    # Eq. 7 in the form that has a gradient, and the division by the sum that follows it.
    shrunk = (weights - threshold).relu() * weights / ((weights - threshold).abs() + 1e-12)
    assert torch.allclose(hard_shrink(weights, threshold), shrunk / shrunk.sum(-1, keepdim=True), atol=1e-6)


def test_the_largest_weight_survives_where_all_are_small() -> None:
    weights = torch.tensor([[0.3, 0.4, 0.3], [0.9, 0.05, 0.05]])
    assert hard_shrink(weights, 0.5).tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]


def test_a_code_is_made_of_items_place_by_place() -> None:
    memory = SparseMemory(items=30, channels=4, sharpness=10.0, threshold=0.03)
    codes = torch.randn(2, 4, 3, 2, 2)
    read, entropy = memory(codes)
    assert read.shape == codes.shape
    assert entropy.shape == (2, 3, 2, 2)
    weights = memory.attention(codes[1, :, 2, 0, 1]).tolist()
    expected = sum(weight * item for weight, item in zip(weights, memory.items, strict=True))
    assert torch.allclose(read[1, :, 2, 0, 1], expected, atol=1e-6)
    found = entropy[1, 2, 0, 1].item()
    assert found == pytest.approx(-sum(weight * math.log(weight) for weight in weights if weight), abs=1e-5)


def test_entropy_is_zero_of_one_item_and_log_n_of_n_equal_ones() -> None:
    certain = SparseMemory(items=10, channels=4, sharpness=10.0, threshold=0.999)
    undecided = SparseMemory(items=10, channels=4, sharpness=1e-6, threshold=0.0)
    codes = torch.randn(1, 4, 2)
    assert certain(codes)[1].abs().max() < 1e-6
    assert torch.allclose(undecided(codes)[1], torch.full((1, 2), math.log(10)), atol=1e-4)


def test_gradients_reach_the_items_that_are_used_and_the_code() -> None:
    memory = SparseMemory(items=40, channels=4, sharpness=10.0, threshold=0.05)
    codes = torch.randn(1, 4, 1, requires_grad=True)
    read, entropy = memory(codes)
    (read.square().sum() + entropy.sum()).backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()
    assert memory.items.grad is not None
    assert memory.items.grad.isfinite().all()
    used = memory.attention(codes.detach()[0, :, 0]) > 0
    assert (memory.items.grad[used].abs().sum(-1) > 0).all()


def test_prototypes_are_updated_as_a_loop_over_items_and_queries_does_it() -> None:
    memory, queries = PrototypeMemory(items=4, channels=6), unit(50, 6)
    items = memory.items.clone()
    items[3] = -F.normalize(queries.sum(0), dim=0)  # the nearest of hardly any
    memory.items = items
    expected = []
    for m, item in enumerate(items):
        own = [k for k, query in enumerate(queries) if int((items @ query).argmax()) == m]
        column = (queries @ item).exp() / (queries @ item).exp().sum()  # eq. 4
        moved = item.clone()
        for k in own:
            moved += column[k] / max(column[j] for j in own) * queries[k]  # eq. 5 and 6
        expected.append(moved / moved.norm())
    memory.update(queries)
    assert torch.allclose(memory.items, torch.stack(expected), atol=1e-5)
    assert torch.allclose(memory.items.norm(dim=-1), torch.ones(4))


def test_a_prototype_that_is_nearest_to_no_query_stays() -> None:
    memory = PrototypeMemory(items=2, channels=3)
    memory.items = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    memory.update(F.normalize(torch.tensor([[1.0, 0.1, 0.0]]), dim=-1))
    assert memory.items[1].tolist() == [-1.0, 0.0, 0.0]
    assert memory.items[0, 1] > 0


def test_prototypes_are_read_by_the_softmax_of_similarities() -> None:
    memory, queries = PrototypeMemory(items=5, channels=6), unit(3, 6)
    for query, found in zip(queries, memory.read(queries), strict=True):
        weights = (memory.items @ query).exp()
        weights = weights / weights.sum()
        assert weights.sum().item() == pytest.approx(1.0)
        assert torch.allclose(found, (weights[:, None] * memory.items).sum(0), atol=1e-6)


def test_distance_and_losses_are_of_the_nearest_and_the_second_nearest() -> None:
    memory, queries = PrototypeMemory(items=6, channels=5), unit(8, 5)
    pull, push, distances = [], [], []
    for query in queries:
        ranked = sorted(memory.items, key=lambda item: float((item - query).norm()))
        pull.append((query - ranked[0]).square().mean())
        push.append(((query - ranked[0]).norm() - (query - ranked[1]).norm() + 1).clamp_min(0))
        distances.append((query - ranked[0]).norm())
    compactness, separateness = memory.losses(queries)
    assert torch.allclose(compactness, torch.stack(pull).mean(), atol=1e-5)
    assert torch.allclose(separateness, torch.stack(push).mean(), atol=1e-4)
    assert torch.allclose(memory.distance(queries), torch.stack(distances), atol=1e-5)


def test_prototypes_can_be_updated_before_the_step_is_propagated_back() -> None:
    memory, raw = PrototypeMemory(items=3, channels=4), torch.randn(9, 4, requires_grad=True)
    queries = F.normalize(raw, dim=-1)
    loss = sum(memory.losses(queries)) + memory.read(queries).sum() + (queries @ memory.items.T).sum()
    memory.update(queries)
    assert not memory.items.requires_grad
    loss.backward()
    assert raw.grad is not None
    assert raw.grad.abs().sum() > 0
