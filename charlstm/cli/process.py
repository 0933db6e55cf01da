"""What ``train`` sets for its whole process, once at its start; the library sets nothing."""

import ctypes
import platform
import warnings

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h
MOST_FROM_HEAP = 32 << 20  # bytes of a piece; glibc up to 2.35 refuses more
MOST_KEPT = 1 << 30  # bytes


def set_up_training() -> None:
    """Set up memory and warnings for a process that does nothing but train."""
    keep_freed_memory()
    # On a GPU, rounded weights and dropped ones are not in one buffer, which torch remarks on.
    warnings.filterwarnings("ignore", message="RNN module weights are not part")


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, where it is glibc.

    It would give large pieces back to the system, and each step would ask for thousands of pages
    again, which takes about a tenth of its time. Where glibc refuses the first of the two settings,
    the second alone would do harm.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if platform.libc_ver()[0] else None
    if mallopt is not None and mallopt(M_MMAP_THRESHOLD, MOST_FROM_HEAP):
        mallopt(M_TRIM_THRESHOLD, MOST_KEPT)
