"""Which device, precision and number of threads a run uses."""

import torch

from charlstm.errors import OptionError


def choose_device(asked: str) -> str:
    """``asked`` if it is there; for ``auto`` the first there is of cuda, mps and cpu.

    Raises OptionError for a device that is not there. ``cpu`` never touches the others.
    """
    if asked == "cpu":
        return asked
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return next((name for name in there if there[name]), "cpu")
    if not there[asked]:
        raise OptionError(f"device {asked} is not there on this machine; say --device cpu or auto")
    return asked


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
