"""Which device, precision and number of threads a run uses."""

import platform

import torch

from charlstm.errors import OptionError
from charlstm.training.config import TrainConfig


def choose_device(asked: str) -> str:
    """``asked`` if it is there; for ``auto`` cuda if it is there, else cpu.

    An Apple GPU (mps) must be asked for, since training on one is untested. Raises OptionError
    for a device that is not there.
    """
    if asked == "auto":
        return "cuda" if is_there("cuda") else "cpu"
    if not is_there(asked):
        raise OptionError(f"device {asked} is not there on this machine; say --device cpu or auto")
    return asked


def is_there(device: str) -> bool:
    """Whether this machine has the device; to ask for ``cpu`` touches no other."""
    if device == "cuda":
        return torch.cuda.is_available()
    return device == "cpu" or torch.backends.mps.is_available()


def choose_precision(asked: str, device: str) -> str:
    """``asked``; for ``auto`` bf16 where the hardware multiplies it, else fp32.

    Weights, optimizer and softmax stay in fp32 either way (autocast).
    """
    if asked != "auto":
        return asked
    if device == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Older torch cannot tell, and without the instructions bf16 would be emulated, slowly.
        asks = getattr(torch.cpu, "get_capabilities", dict)
        features: dict[str, bool] = asks() if device == "cpu" else {}
        fast = bool(features.get("avx512_bf16") or features.get("amx_bf16"))
    return "bf16" if fast else "fp32"


def choose_threads(asked: int | None) -> int:
    """``asked``, or torch's own choice: the machine's cores, or OMP_NUM_THREADS."""
    return asked or torch.get_num_threads()


def environment(config: TrainConfig, processes: int) -> dict[str, str]:
    """All that may change the bits of a result though config and text are the same."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    named = sorted(name for name, there in capabilities.items() if there is True)
    device = config.device
    if device == "cuda":
        device += f" ({torch.cuda.get_device_name()})"
    return {
        "torch": str(torch.__version__),
        "processor": " ".join([platform.machine(), *named]),
        "device": device,
        "precision": config.precision,
        "threads": str(config.threads),
        "processes": str(processes),
    }


def differences(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """What of an environment is not as it was, in words for a person."""
    return tuple(
        "another processor" if name == "processor" else f"{name} {before.get(name)} -> {value}"
        for name, value in now.items()
        if before.get(name) != value
    )
