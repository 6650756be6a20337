"""`srnn_ae` against Luo et al. 2019, sections 3.3 to 3.7."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import short_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.methods.srnn_ae import SRNNAE, SRNNAESettings, UnrolledSISTA
from vad_models.methods.tsc import Dictionary, TSCSettings
from vad_models.settings import load_params

PHASE = {"epochs": 1, "sequence": 13, "batch": 4, "learning_rate": 0.001, "fit_sequences": 1}


def build(name: str = "srnn_ae", **changes: Any) -> SRNNAE:
    torch.manual_seed(0)
    settings = load_params().methods[name].demo or {}
    method = build_method("srnn_ae", settings | changes, SIZE)
    assert isinstance(method, SRNNAE)
    return method.eval()


def patches_of(method: SRNNAE, frames: int = 20) -> torch.Tensor:
    """Features of two toy videos, (2, frames, 21, D)."""
    with torch.no_grad():
        return torch.stack([method.features(as_frames(blobs(frames, seed)))["patches"] for seed in range(2)])


def test_paper_profile_is_the_papers_network_and_takes_a_step() -> None:
    torch.manual_seed(0)
    method = build_method("srnn_ae", load_params().methods["srnn_ae"].paper or {}, SIZE)
    assert isinstance(method, SRNNAE)
    phase, channels = method.settings.training, method.pyramid.channels
    # Section 4.1: sequences of 10 (and 3 frames for the temporal maximum), batches of 4, 20,000 iterations, RMSprop
    # at 0.00001; section 3.4: K = 3, weight decay 0.005.
    assert (method.clip.frames, method.clip.target) == (13, 12)
    assert (phase.sequence, phase.batch, phase.optimiser, phase.learning_rate) == (13, 4, "rmsprop", 1e-5)
    assert phase.epochs * (phase.steps_per_epoch or 0) == 20_000
    assert phase.weight_decay == 0.005
    assert method.settings.steps == 3
    assert method.settings.branches == {"spatial": 1.0, "temporal": 0.5}
    for network in method.models.values():
        assert network.dictionary.shape == network.decoder.shape == (channels, 2048)
        assert network.embedding.out_features == 512
    trained = [weight for group in method.begin("training") for weight in group["params"]]
    # Each branch: A and Z, a_0, the similarity, and lambda_1, lambda_2, gamma.
    assert sum(weight.numel() for weight in trained) == 2 * (
        2 * 2048 * channels + 2048 + 512 * (channels + 1) + 3
    )
    patches = torch.rand(4, 13, 21, channels)
    (codes, *_) = [method.models[name].codes(x[0]) for name, x in method.branches(patches).items()]
    assert codes.shape == (10, 21, 2048)
    optimiser = torch.optim.RMSprop(trained, lr=phase.learning_rate)
    losses = [method.loss({"patches": patches}, "training")["loss"]]
    losses[0].backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)
    optimiser.step()
    method.after_step("training")
    assert method.loss({"patches": patches}, "training")["loss"] < losses[0]


def test_with_many_layers_and_tied_weights_it_finds_the_codes_of_tsc() -> None:
    """Section 3.4: "if K is very high, our network is identical with TSC"."""
    torch.manual_seed(0)
    shared = {"dictionary": 6, "sparsity": 0.05, "coherence": 0.5, "bandwidth": 3.0, "training": PHASE}
    tsc = Dictionary(8, TSCSettings(**shared, steps=1000))  # type: ignore[arg-type]
    inputs = torch.randn(6, 21, 8)
    tsc.fit(inputs[None])
    expected = tsc.codes(inputs)
    for layers, alike in ((1000, True), (3, False)):
        network = UnrolledSISTA(8, SRNNAESettings(**shared, steps=layers, similarity="gaussian"))  # type: ignore[arg-type]
        network.dictionary.data.copy_(tsc.columns)
        network.decoder.data.copy_(tsc.columns)
        network.gamma.data.fill_(
            1.7 * tsc.gamma.item()
        )  # the minimum does not depend on the length of the steps
        with torch.no_grad():
            assert torch.allclose(network.codes(inputs), expected, atol=1e-4) == alike
            assert torch.allclose(network(inputs), tsc(inputs), atol=1e-4) == alike


def test_learned_similarity_is_a_cosine_of_what_a_layer_with_relu_makes_of_the_frames() -> None:
    method = build()
    network = method.models["spatial"]
    inputs = method.branches(patches_of(method)[0])["spatial"]
    with torch.no_grad():
        found = network.similarity(inputs)
        embedded = torch.relu(inputs @ network.embedding.weight.T + network.embedding.bias)
        expected = torch.cosine_similarity(embedded[1:], embedded[:-1], dim=-1)
        assert found.shape == (16, 21)
        assert torch.allclose(found, expected, atol=1e-5)
        assert ((found >= 0) & (found <= 1 + 1e-5)).all()
        still = inputs[:1].expand(2, -1, -1)
        assert torch.allclose(network.similarity(still), torch.ones(1, 21), atol=1e-5)


def test_gaussian_similarity_has_no_weights_and_leaves_lambda_2_as_it_is() -> None:
    """Section 4.6: "fix lambda_2 in sRNN-AE and learn other parameters"."""
    learned, gaussian = build(), build("srnn_ae_gaussian")
    assert [learned.models["spatial"].coherence.requires_grad] == [True]
    assert [gaussian.models["spatial"].coherence.requires_grad] == [False]
    assert not hasattr(gaussian.models["spatial"], "embedding")
    gaussian.loss({"patches": patches_of(gaussian)}, "training")["loss"].backward()
    assert gaussian.models["spatial"].coherence.grad is None


def test_fitted_it_begins_as_sparse_coding_with_normal_patches() -> None:
    method = build()
    patches = patches_of(method)
    before = method.loss({"patches": patches}, "training")["loss"]
    method.fit({"patches": patches}, "training")
    for network in method.models.values():
        assert torch.equal(network.dictionary, network.decoder)
        assert torch.allclose(network.dictionary.norm(dim=0), torch.ones(network.dictionary.shape[1]))
        largest = torch.linalg.eigvalsh(network.dictionary.T @ network.dictionary)[-1]
        assert network.gamma.item() == pytest.approx((largest + network.coherence).item(), rel=1e-4)
    assert method.loss({"patches": patches}, "training")["loss"] != before


def test_weights_of_the_objective_stay_possible() -> None:
    method = build()
    network = method.models["motion"]
    for parameter in (network.sparsity, network.coherence, network.gamma):
        parameter.data.fill_(-1.0)
    method.after_step("training")
    assert [network.sparsity.item(), network.coherence.item()] == [0.0, 0.0]
    assert network.gamma.item() == pytest.approx(0.01)


def test_a_score_is_the_mean_error_of_the_windows_last_frame() -> None:
    method = build()
    method.fit({"patches": patches_of(method)}, "training")
    with torch.no_grad():
        features = method.features(as_frames(blobs(16, 5)))
        scores = method.score(features)
        for first in range(16 - method.clip.frames + 1):
            window = features["patches"][first : first + method.clip.frames]
            for branch, inputs in method.branches(window).items():
                network = method.models[branch]
                rebuilt = network.codes(inputs)[-1] @ network.decoder.T
                expected = (inputs[-1] - rebuilt).square().sum(-1).mean()
                assert torch.allclose(scores[branch][first], expected, atol=1e-5)
        assert method.error_map(features).shape == (16 - method.clip.frames + 1, 4, 4)


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
    assert load_params().methods[f"srnn_ae_{variant}"].method == "srnn_ae"
    method = build(f"srnn_ae_{variant}")
    assert list(method.branches.channels) == [variant]
    assert method.clip.frames == window
    method.fit({"patches": patches_of(method)}, "training")
    with torch.no_grad():
        scores = method.score(method.features(as_frames(blobs(window, 0))))
    assert scores["fused"] > 0
    assert {signal for signal in method.signals if scores[signal] == 0} == absent


def test_settings_that_cannot_work_are_refused() -> None:
    training = short_settings("srnn_ae")["training"]
    with pytest.raises(SettingsError, match=r"training\.fit_sequences must be at least 1 where components"):
        build(training=training | {"fit_sequences": 0})
    with pytest.raises(SettingsError, match=r"training\.sequence must be at least 5 frames"):
        build(training=training | {"sequence": 4})
