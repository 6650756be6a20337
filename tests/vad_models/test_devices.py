"""Devices that a method can be trained on, on machines with and without CUDA."""

from __future__ import annotations

import pytest
import torch

from vad_models.devices import ALL_OF_IT, Resources, cuda_devices, describe


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two CUDA devices."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Card {index}")


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.usefixtures("devices")
def test_devices_are_numbered_where_nobody_chose_any() -> None:
    assert cuda_devices() == ["0", "1"]


@pytest.mark.usefixtures("devices")
@pytest.mark.parametrize(
    ("visible", "named"),
    [("3,5", ["3", "5"]), ("GPU-a1,GPU-b2", ["GPU-a1", "GPU-b2"]), ("3,5,9", ["3", "5"]), ("", ["0", "1"])],
)
def test_devices_have_the_names_by_which_they_were_made_visible(
    monkeypatch: pytest.MonkeyPatch, visible: str, named: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda_devices() == named


@pytest.mark.usefixtures("no_devices")
def test_without_a_device_none_is_listed_whatever_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cuda_devices() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert cuda_devices() == []


@pytest.mark.usefixtures("devices")
def test_cuda_devices_are_described_by_torchs_number_and_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert describe() == "cuda:0 Card 0, cuda:1 Card 1"


@pytest.mark.usefixtures("no_devices")
def test_a_machine_without_cuda_is_described_by_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert describe() == "cpu, 7 threads"


def test_a_job_may_use_everything_unless_somebody_divides_the_machine() -> None:
    assert Resources(threads=None, device="auto", devices=1, features=None) == ALL_OF_IT
