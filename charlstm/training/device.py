"""Which device, precision and number of threads a run uses, and what fits into its memory."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from charlstm.errors import OptionError, TrainingError
from charlstm.text.dataset import Dataset
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import TrainingData, parts
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.distributed import Group
from charlstm.training.kernels import Kernels

CUDNN_WITH_BF16 = 91300  # 9.13, as torch asks for in CUDAHooks::supportsBFloat16RNNWithCuDNN
OUT_OF_MEMORY = ("can't allocate memory", "out of memory")  # torch's words, on CPU and GPU


def choose_device(asked: str) -> str:
    """``asked`` if this machine has it; for ``auto`` cuda if the machine has it, else cpu.

    An Apple GPU (mps) must be asked for, since training on one is untested. Raises OptionError
    for a device that the machine lacks.
    """
    if asked == "auto":
        return "cuda" if is_available("cuda") else "cpu"
    if not is_available(asked):
        raise OptionError(f"is {asked}, which this machine does not have", "device", "device")
    return asked


def is_available(device: str) -> bool:
    """Whether this machine has the device; to ask for ``cpu`` wakes no other."""
    if device == "cuda":
        return torch.cuda.is_available()
    return device == "cpu" or torch.backends.mps.is_available()


def choose_precision(asked: str, device: str, *, recorded: bool = False) -> str:
    """``asked``; for ``auto`` bf16 where the hardware multiplies it, else fp32.

    bf16 that is only ``recorded``, by a run that may be of another machine, is kept where the
    hardware multiplies it. Weights, optimizer, logits and softmax are of fp32 either way.
    """
    if asked == "fp32" or (asked == "bf16" and not recorded):
        return asked
    return "bf16" if has_bf16(device) else "fp32"


def has_bf16(device: str) -> bool:
    """Whether the hardware multiplies bf16, which would else be emulated, many times as slow.

    On CUDA it also takes a cuDNN that has LSTM layers in bf16; without one torch computes them
    step by step.
    """
    if device == "cuda":
        cudnn = torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call]
        return torch.cuda.is_bf16_supported(including_emulation=False) and cudnn >= CUDNN_WITH_BF16
    features = _capabilities() if device == "cpu" else {}  # older torch cannot tell
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


def precision_notes(asked: str, used: str, device: str) -> list[str]:
    """What a person should know of a precision that is not the one asked for, or that is slow."""
    if has_bf16(device) or asked != "bf16":
        return []
    if used == "fp32":
        return [
            "fp32 instead of bf16, which torch would only emulate here, many times as slow; so the "
            "result is not that of bf16, bit for bit"
        ]
    return ["torch knows of no hardware for bf16 here; emulated, it is many times as slow as fp32"]


def for_this_machine(settings: Settings) -> Settings:
    """The settings with a device, a precision and a number of threads of this machine.

    A run that is repeated by its pace has the precision on its card, if this machine has that. By
    default torch chooses the threads: the machine's cores, or what OMP_NUM_THREADS says.
    """
    device = choose_device(settings.device)
    return replace(
        settings,
        device=device,
        precision=choose_precision(settings.precision, device, recorded=settings.pace is not None),
        threads=settings.threads or torch.get_num_threads(),
    )


def prepare_data(
    dataset: Dataset, val_fraction: float, *, device: str, group: Group
) -> TrainingData:
    """The two parts of the dataset, the first of them on a GPU that has room for it.

    Raises CorpusError where the text is too short.
    """
    train_ids, val_ids = parts(dataset, val_fraction)
    return TrainingData(train_ids, val_ids, group, _on_device(train_ids, device))


def _on_device(ids: Ids, device: str) -> Tensor | None:
    """The ids on a CUDA device that has room for them; None where they are read from memory."""
    if device != "cuda":
        return None
    size = 1 if ids.itemsize == 1 else 4
    if len(ids) * size > torch.cuda.mem_get_info()[0] // 2:
        return None
    return torch.tensor(ids if size == 1 else ids.astype(np.int32), device=device)


@contextmanager
def memory_for(config: TrainConfig) -> Iterator[None]:
    """Turn every way in which memory runs out into a TrainingError with the sizes of the run."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        words = str(error)
        if isinstance(error, RuntimeError) and not any(w in words for w in OUT_OF_MEMORY):
            raise
        network = config.network
        raise TrainingError(
            f"out of memory on {config.device} with {network.num_layers} x {network.hidden_size} "
            f"units and {config.batch_size} windows of {config.seq_length} characters",
            "memory",
        ) from error


def hardware(device: str) -> dict[str, str]:
    """The processor of this machine with all that it can do, and the device."""
    if device == "cuda":
        device += f" ({torch.cuda.get_device_name()})"
    features = sorted(name for name, available in _capabilities().items() if available is True)
    return {"processor": " ".join([platform.machine(), *features]), "device": device}


def environment(config: TrainConfig, kernels: Kernels, processes: int) -> dict[str, str]:
    """Everything beside configuration and text that may change the bits of a result."""
    return {
        "torch": str(torch.__version__),
        **hardware(config.device),
        "precision": config.precision,
        "kernels": str(kernels),
        "threads": str(config.threads),
        "processes": str(processes),
    }


def differences(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """What has changed in an environment, in words for a person."""
    return tuple(
        "another processor" if name == "processor" else f"{name} {before.get(name)} -> {value}"
        for name, value in now.items()
        if before.get(name) != value
    )


def _capabilities() -> dict[str, bool]:
    """What the processor can do; nothing where torch is too old to tell."""
    found: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return found
