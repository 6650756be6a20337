"""`nearest_subspace` against Luo et al. 2019, section 4.3: min_a ||y - A a||, a* = (A'A)^-1 A'y, A from k-means."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import profile_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.methods.nearest_subspace import NearestSubspace, Span
from vad_models.settings import load_params


def fitted(branches: dict[str, float]) -> NearestSubspace:
    torch.manual_seed(0)
    settings = profile_settings("nearest_subspace") | {"branches": branches, "atoms": 56}
    method = build_method("nearest_subspace", settings, SIZE)
    assert isinstance(method, NearestSubspace)
    method.fit({"patches": method.features(as_frames(blobs(40, 0)))["patches"][None]}, "dictionary")
    return method


def test_paper_profile_has_a_dictionary_of_a_thousand_atoms_and_looks_at_appearance_alone() -> None:
    method = build_method("nearest_subspace", load_params().methods["nearest_subspace"].paper or {}, SIZE)
    assert isinstance(method, NearestSubspace)
    assert method.clip.frames == 1
    assert {name: tuple(p.shape) for name, p in method.named_parameters()} == {
        "models.spatial.basis": (1280, 1000)
    }
    assert all(phase.epochs == 0 for phase in method.phases().values())


def test_the_distance_is_that_of_the_best_combination_of_atoms() -> None:
    torch.manual_seed(0)
    atoms = torch.randn(7, 3)  # of one row each: every patch is the centre of its own cluster
    span = Span(7, 3)
    span.fit(atoms.T.repeat(4, 1))
    vectors = torch.randn(2, 5, 7)
    found = span(vectors)
    assert found.shape == (2, 5)
    matrix = atoms.double().numpy()
    for vector, distance in zip(
        vectors.flatten(0, 1).double().numpy(), found.flatten().tolist(), strict=True
    ):
        best = np.linalg.inv(matrix.T @ matrix) @ matrix.T @ vector
        assert distance == pytest.approx(np.linalg.norm(vector - matrix @ best), abs=1e-4)
    combinations = torch.randn(5, 3) @ atoms.T
    assert torch.allclose(span(combinations), torch.zeros(5), atol=1e-4)


def test_atoms_are_the_centres_of_clusters() -> None:
    torch.manual_seed(0)
    centres = torch.randn(4, 9)
    span = Span(9, 4)
    span.fit((centres + 0.01 * torch.randn(50, 4, 9)).flatten(0, 1))
    assert span(centres).max() < 0.05
    assert span(torch.randn(20, 9)).mean() > 1.0


def test_the_score_of_a_frame_is_the_mean_distance_of_its_patches() -> None:
    method = fitted({"spatial": 1.0})
    features = method.features(as_frames(blobs(12, 1)))
    distances = method.models["spatial"](features["patches"])
    assert distances.shape == (12, 21)
    scores = method.score(features)
    assert torch.allclose(scores["spatial"], distances.mean(1))
    assert torch.equal(scores["fused"], scores["spatial"])  # not calibrated: from 0 to 1
    assert torch.equal(scores["temporal"], torch.zeros(12))
    assert method.error_map(features).shape == (12, 4, 4)


def test_branches_are_fused_with_their_weights_on_the_scale_of_normal_video() -> None:
    method = fitted({"spatial": 1.0, "temporal": 0.5})
    assert (method.clip.frames, method.clip.target) == (4, 3)
    normal = method.score(method.features(as_frames(blobs(40, 2))))
    method.calibrate({signal: normal[signal] for signal in method.calibrated_on})
    scores = method.score(method.features(as_frames(blobs(40, 3))))
    expected = sum(
        weight * (scores[branch] - normal[branch].min()) / (normal[branch].max() - normal[branch].min())
        for branch, weight in (("spatial", 1.0), ("temporal", 0.5))
    )
    assert torch.allclose(scores["fused"], torch.as_tensor(expected), atol=1e-5)


def test_the_loss_is_the_mean_distance_of_normal_patches() -> None:
    method = fitted({"spatial": 1.0})
    patches = method.features(as_frames(blobs(40, 0)))["patches"]
    loss = method.loss({"patches": patches[None]}, "dictionary")["loss"]
    assert torch.allclose(loss, method.models["spatial"](patches).mean())
    assert loss < method.models["spatial"](patches + torch.randn_like(patches)).mean()


def test_a_dictionary_that_spans_everything_is_refused() -> None:
    settings = profile_settings("nearest_subspace") | {"atoms": 112}
    with pytest.raises(
        SettingsError, match=r"atoms = 112 span all 112 channels of the features, .* ask for fewer"
    ):
        build_method("nearest_subspace", settings, SIZE)
