"""One training on several devices of a host: each takes its share of every batch (data-parallel training, DDP).

    in_ranks                          starts one process per device (a rank), and returns their result
      -> Share                        which sequences of a batch are the rank's, and what they weigh in the whole
      -> share_batch_norm             statistics of the whole batch, not of the share
      -> strategy                     Lightning's DDP: gradients are averaged over the ranks

The number of devices changes the results only by rounding. There are two exceptions: a loss that is not a mean over the
batch (the memory of `mnad` and the clusters of `std` follow the first rank's share), and random numbers in
`Method.loss`, which each rank draws separately.
"""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.multiprocessing.spawn import ProcessException, start_processes
from torch.nn.modules.batchnorm import _BatchNorm

from vad_models.contract import Method
from vad_models.devices import Resources
from vad_models.errors import VadError

__all__ = ["ALONE", "Share", "in_ranks", "share_batch_norm", "strategy"]

T = TypeVar("T")

_LOOK_SECONDS = 0.2
_WEIGHTS = "weights.pt"


@dataclass(frozen=True)
class Share:
    """The part that rank `rank` of `ranks` takes of every batch."""

    rank: int
    ranks: int

    def of(self, batch: Sequence[T]) -> Sequence[T]:
        """Return the rank's sequences of a batch; if there are too few for all ranks, each rank takes all."""
        return batch if len(batch) < self.ranks else batch[self.rank :: self.ranks]

    def weight(self, batch: Sequence[Any]) -> float:
        """Return the weight of the rank's mean in the mean over the batch; the weights of all ranks sum to 1."""
        return 1 / self.ranks if len(batch) < self.ranks else len(self.of(batch)) / len(batch)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all ranks."""
        if self.ranks > 1:
            distributed.all_reduce(values)
        return values


ALONE = Share(0, 1)


def strategy(share: Share) -> Any:
    """Return Lightning's strategy. A phase may leave parameters out of its loss, so DDP has to look for these."""
    return "auto" if share == ALONE else DDPStrategy(find_unused_parameters=True)


@dataclass(frozen=True)
class _Task:
    """The arguments of the processes of a training."""

    work: Callable[..., Any]
    method: Method
    request: Any
    resources: Resources
    threads: int
    folder: str
    messages: Any


def in_ranks(
    work: Callable[..., Any],
    method: Method,
    request: Any,
    resources: Resources,
    on_epoch: Callable[[Any], None] | None,
) -> Any:
    """Call `work(method, request, resources, share, on_epoch)` in processes of this host that train together.

    Args:
        work: a function of a module, so that another process can import it.
        method: gets the trained weights of the first rank.
        request: of `work`; picklable.
        resources: one process per device is started; on a GPU each takes one, and the CPU's threads are divided among
            them.
        on_epoch: called in this process, with what the first rank reports.

    Returns:
        What `work` returns in the first rank.

    Raises:
        VadError: `work` raised it.
        ProcessException: a process failed otherwise or was killed; the others are ended.
    """
    threads = max(1, torch.get_num_threads() // resources.devices)
    messages = get_context("spawn").SimpleQueue()
    with TemporaryDirectory() as folder:
        task = _Task(work, method, request, resources, threads, folder, messages)
        ranks = start_processes(_rank, (task,), nprocs=resources.devices, join=False, start_method="spawn")
        outcomes: list[Any] = []

        def listen() -> None:
            while not messages.empty():
                kind, content = messages.get()
                if kind == "error":
                    raise content
                if kind == "outcome":
                    outcomes.append(content)
                elif on_epoch is not None:
                    on_epoch(content)

        try:
            while not ranks.join(_LOOK_SECONDS):
                listen()
            listen()
        except ProcessException:
            listen()  # an error that a person can fix says more
            raise
        finally:
            for process in ranks.processes:
                process.kill()
        method.load_state_dict(torch.load(Path(folder, _WEIGHTS), weights_only=True))
    return outcomes[0]


def _rank(rank: int, task: _Task) -> None:
    """Run one process."""
    # It comes with Ctrl-C, and when the process that asked for the training dies (torch.multiprocessing sees to that).
    # Then nothing may be written any more: another process may have begun to resume the training.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asked_by = parent_process()
    if asked_by is None or not asked_by.is_alive():
        return  # the parent died while this process was starting, before anything could send the signal
    torch.set_num_threads(task.threads)
    method = copy.deepcopy(task.method)  # torch passes tensors in memory that all processes share
    os.environ["LOCAL_RANK"] = str(rank)  # tells Lightning that the processes are there
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    ranks = task.resources.devices
    backend = "nccl" if task.resources.device != "cpu" and torch.cuda.is_available() else "gloo"
    distributed.init_process_group(
        backend, init_method=f"file://{task.folder}/rendezvous", rank=rank, world_size=ranks
    )
    try:
        share_batch_norm(method)
        report = (lambda epoch: task.messages.put(("epoch", epoch))) if rank == 0 else None
        outcome = task.work(method, task.request, task.resources, Share(rank, ranks), report)
    except VadError as error:
        task.messages.put(("error", error))
        raise
    if rank == 0:
        torch.save(method.state_dict(), Path(task.folder, _WEIGHTS))
        task.messages.put(("outcome", outcome))
    distributed.destroy_process_group()


def share_batch_norm(module: nn.Module) -> None:
    """Make every batch normalisation in `module` use the statistics of all ranks' shares.

    torch's own `SyncBatchNorm` refuses to run without a GPU.
    """
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, _SharedBatchNorm(child))
        else:
            share_batch_norm(child)


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation, with the parameters and buffers of `single`, over the batches of all ranks."""

    def __init__(self, single: _BatchNorm) -> None:
        super().__init__(
            single.num_features, single.eps, single.momentum, single.affine, single.track_running_stats
        )
        self._parameters, self._buffers, self.training = (
            single._parameters,
            single._buffers,
            single.training,
        )

    def _check_input_dim(self, values: Tensor) -> None:
        """Any (B, C, ...)."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training and self.running_mean is not None:
            return super().forward(values)
        others = [0, *range(2, values.ndim)]
        shape = [1, -1, *[1] * (values.ndim - 2)]
        count = all_reduce(values.new_tensor(values.numel() / values.shape[1]))
        mean = all_reduce(values.sum(others)) / count
        centred = values - mean.view(shape)
        variance = all_reduce(centred.square().sum(others)) / count
        if self.training:
            self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the statistics for evaluation towards those of a batch."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)
