"""`tsc` against Luo et al. 2019, section 3.2."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.layers.sparse_coding import gaussian_similarity, objective
from vad_models.methods import build_method
from vad_models.methods.tsc import TSC
from vad_models.settings import load_params


def build(**changes: Any) -> TSC:
    torch.manual_seed(0)
    method = build_method("tsc", short_settings("tsc") | changes, SIZE)
    assert isinstance(method, TSC)
    return method.eval()


def fitted(**changes: Any) -> tuple[TSC, torch.Tensor]:
    """A method fitted on the patches of two toy videos, (2, 20, 21, D), and these."""
    method = build(**changes)
    with torch.no_grad():
        patches = torch.stack([method.features(as_frames(blobs(20, seed)))["patches"] for seed in range(2)])
        method.fit({"patches": patches}, "training")
    return method, patches


def test_paper_profile_has_2048_columns_30_steps_and_21_patches() -> None:
    method = build_method("tsc", load_params().methods["tsc"].paper or {}, SIZE)
    assert isinstance(method, TSC)
    # Sections 3.6 and 4.1: sequences of 10, and the 3 frames before that the temporal maximum sees.
    assert (method.clip.frames, method.clip.target) == (13, 12)
    features = method.features(torch.zeros(13, SIZE.channels, SIZE.height, SIZE.width))["patches"]
    assert features.shape == (13, 21, method.pyramid.channels)
    assert method.settings.steps == 30  # Table 10
    assert method.settings.coherence == 2.0  # section 4.4
    assert method.settings.bandwidth == 100.0  # footnote 2
    assert method.settings.branches == {"spatial": 1.0, "temporal": 0.5}  # section 4.1
    for dictionary in method.models.values():
        assert dictionary.columns.shape == (method.pyramid.channels, 2048)  # section 4.4
    trained = sum(weight.numel() for group in method.begin("training") for weight in group["params"])
    assert trained == 2 * 2048 * method.pyramid.channels


def test_the_codes_minimise_the_objective_frame_by_frame() -> None:
    method, patches = fitted(steps=2000)
    settings = method.settings
    for branch, inputs in method.branches(patches[:1, :8]).items():
        frames = inputs.movedim(1, 0)
        dictionary = method.models[branch]
        codes = dictionary.codes(frames)
        assert (codes >= 0).all()
        weight = settings.coherence * gaussian_similarity(frames, settings.bandwidth)

        def value(codes: torch.Tensor, t: int) -> torch.Tensor:
            return objective(frames[t], codes, before[t], dictionary.columns, weights[t], settings.sparsity)  # noqa: B023

        before = F.pad(codes, (0, 0, 0, 0, 0, 0, 1, 0))
        weights = F.pad(weight, (0, 0, 0, 0, 1, 0))
        with torch.no_grad():
            for t in range(len(codes)):
                for _ in range(20):
                    other = (codes[t] + 0.01 * torch.randn_like(codes[t])).clamp_min(0)
                    assert (value(codes[t], t) <= value(other, t) + 1e-5).all()


def test_only_the_reconstruction_teaches_the_dictionary() -> None:
    method, patches = fitted()
    losses = method.loss({"patches": patches}, "training")
    assert torch.allclose(losses["loss"], losses["spatial"] + losses["motion"])
    losses["loss"].backward()
    for branch, inputs in method.branches(patches).items():
        dictionary = method.models[branch]
        frames = inputs.movedim(1, 0)
        codes = dictionary.codes(frames)
        # The gradient of eq. 3 for fixed codes.
        residual = (codes @ dictionary.columns.T - frames).detach()
        expected = 2 * torch.einsum("tbpd,tbpn->dn", residual, codes) / residual[..., 0].numel()
        assert torch.allclose(dictionary.columns.grad, expected, atol=1e-5)


def test_after_a_step_the_columns_are_in_the_unit_ball_and_sista_descends() -> None:
    method, _ = fitted()
    dictionary = method.models["spatial"]
    with torch.no_grad():
        dictionary.columns[:, 0] = 3.0
        dictionary.columns[:, 1] = 0.001
    inside = dictionary.columns[:, 1].clone()
    method.after_step("training")
    norms = dictionary.columns.norm(dim=0)
    assert norms.max() <= 1 + 1e-6
    assert norms[0].item() == pytest.approx(1.0)
    assert torch.equal(dictionary.columns[:, 1], inside)
    largest = torch.linalg.eigvalsh(dictionary.columns.T @ dictionary.columns)[-1]
    assert dictionary.gamma.item() == pytest.approx(largest.item() + method.settings.coherence, rel=1e-4)


def test_a_score_is_the_mean_error_of_the_windows_last_frame() -> None:
    method, _ = fitted()
    with torch.no_grad():
        features = method.features(as_frames(blobs(16, 5)))
        scores = method.score(features)
        for first in range(16 - method.clip.frames + 1):
            window = features["patches"][first : first + method.clip.frames]
            for branch, inputs in method.branches(window).items():
                dictionary = method.models[branch]
                rebuilt = dictionary.codes(inputs)[-1] @ dictionary.columns.T
                expected = (inputs[-1] - rebuilt).square().sum(-1).mean()
                assert torch.allclose(scores[branch][first], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "window", "absent"),
    [
        ("spatial", 10, {"temporal", "motion"}),
        ("temporal", 13, {"spatial", "motion"}),
        ("motion", 13, {"spatial", "temporal"}),
        ("early", 13, {"spatial", "temporal", "motion"}),
    ],
)
def test_variants_differ_in_their_branches(variant: str, window: int, absent: set[str]) -> None:
    entry = load_params().methods[f"tsc_{variant}"]
    assert entry.method == "tsc"
    method = build_method("tsc", entry.demo or {}, SIZE)
    assert isinstance(method, TSC)
    assert list(method.branches.channels) == [variant]
    assert method.clip.frames == window
    with torch.no_grad():
        scores = method.score(method.features(as_frames(blobs(window, 0))))
    assert scores["fused"] > 0
    assert {signal for signal in method.signals if scores[signal] == 0} == absent


def test_settings_that_cannot_work_are_refused() -> None:
    training = short_settings("tsc")["training"]
    with pytest.raises(SettingsError, match=r"training\.fit_sequences must be at least 1"):
        build(training=training | {"fit_sequences": 0})
    with pytest.raises(SettingsError, match=r"training\.sequence must be at least 5 frames"):
        build(training=training | {"sequence": 4})
    with pytest.raises(SettingsError, match="components = 5000 is more than"):
        build(components=5000)
