"""`lstm_ae`: an LSTM squeezes a window of patches to one code, another unrolls it, newest first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import profile_settings
from vad_models.contract import as_frames
from vad_models.errors import SettingsError
from vad_models.methods import build_method
from vad_models.methods.lstm_ae import LSTMAE, SequenceAutoencoder
from vad_models.settings import load_params


def steps(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    """Outputs (T, n, hidden), written out gate by gate (Hochreiter and Schmidhuber 1997, with forget gates)."""
    hidden = cell = torch.zeros(inputs.shape[1], lstm.hidden_size)
    outputs = []
    for x in inputs:
        gates = x @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + hidden @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
        allow, keep, new, show = gates.chunk(4, dim=-1)
        cell = keep.sigmoid() * cell + allow.sigmoid() * new.tanh()
        hidden = show.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs)


def test_paper_profile_squeezes_ten_frames_of_each_branch_to_512_numbers() -> None:
    torch.manual_seed(0)
    method = build_method("lstm_ae", load_params().methods["lstm_ae"].paper or {}, SIZE)
    assert isinstance(method, LSTMAE)
    assert (method.clip.frames, method.clip.target) == (13, 12)  # 10, and 3 for the first temporal maximum
    assert list(method.models) == ["spatial", "temporal"]
    patches = method.branches(torch.rand(13, 21, 1280))["temporal"]
    assert patches.shape == (10, 21, 1280)
    assert method.models["temporal"].code(patches).shape == (21, 512)
    encoder, decoder = 4 * 512 * (1280 + 512 + 2), 4 * 512 * (512 + 512 + 2)
    assert sum(p.numel() for p in method.parameters()) == 2 * (encoder + decoder + 512 * 1280 + 1280)
    optimiser = torch.optim.RMSprop(method.begin("training"), lr=1e-4)
    features = {"patches": torch.rand(1, 13, 21, 1280)}
    before = method.loss(features, "training")["loss"]
    before.backward()
    optimiser.step()
    assert method.loss(features, "training")["loss"] < before


def test_reconstruction_written_out_step_by_step() -> None:
    torch.manual_seed(0)
    network = SequenceAutoencoder(5, 7)
    inputs = torch.randn(4, 3, 5)
    code = steps(network.encoder, inputs)[-1]
    assert torch.allclose(network.code(inputs), code, atol=1e-6)
    rebuilt = network.head(steps(network.decoder, torch.stack([code] * 4)))
    errors = network(inputs).flip(0)
    for step in range(4):
        newest_first = inputs[3 - step]
        assert torch.allclose(errors[step], (rebuilt[step] - newest_first).square().sum(-1), atol=1e-5)
    assert torch.allclose(network.newest(inputs), errors[0], atol=1e-6)


def test_the_score_is_the_mean_error_of_the_windows_last_frame() -> None:
    torch.manual_seed(0)
    method = build_method("lstm_ae", profile_settings("lstm_ae"), SIZE).eval()
    assert isinstance(method, LSTMAE)
    features = method.features(as_frames(blobs(16, 0)))
    with torch.no_grad():
        scores = method.score(features)
        for branch, inputs in method.branches(features["patches"]).items():
            assert scores[branch].shape == (4,)
            for first in range(4):
                error = method.models[branch](inputs[first : first + 10])[-1]
                assert torch.allclose(scores[branch][first], error.mean(), rtol=1e-4)
        assert method.error_map(features).shape == (4, 4, 4)


def test_it_overfits_one_window() -> None:
    torch.manual_seed(0)
    network = SequenceAutoencoder(8, 32)
    inputs = torch.randn(6, 4, 8)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(400):
        optimiser.zero_grad()
        network(inputs).mean().backward()
        optimiser.step()
    assert network(inputs).mean() < 0.02 * inputs.square().sum(-1).mean()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sequence": 4}, "training.sequence must be at least 5 frames"),
        ({"fit_sequences": 0}, "training.fit_sequences must be at least 1 where components are asked for"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, int], sentence: str) -> None:
    settings = profile_settings("lstm_ae")
    with pytest.raises(SettingsError, match=sentence):
        build_method("lstm_ae", settings | {"training": settings["training"] | changes}, SIZE)
