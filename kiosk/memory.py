"""What keeps a process that runs for months as large as it is.

What aiortc and asyncio leave of a connection refers to itself in circles, so only the collector of circles frees it; by
itself that comes round after many connections, and what they took of C's heap lies scattered by then. Measured over 200
joins and leaves (benchmarks/call_soak.py): not one object more, and 10 to 50 MB of pages, most of them empty. With
what stands here: none. On a C library other than glibc the second half is left out.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import Protocol, cast

ARENAS = 2
"""glibc gives each thread a heap of its own, up to eight for a core, and what one thread has freed another cannot take.
Two are enough: our threads allocate little, and mostly one at a time."""
_M_ARENA_MAX = -8  # malloc.h


class _Heap(Protocol):
    def mallopt(self, parameter: int, value: int, /) -> int: ...
    def malloc_trim(self, pad: int, /) -> int: ...


def settle() -> None:
    """When everything is imported, before threads are started; and again where much has been imported later.

    What is there now stays for good: never looked at again, it makes each collection some milliseconds shorter.
    """
    if (heap := _glibc()) is not None:
        heap.mallopt(_M_ARENA_MAX, ARENAS)
    gc.collect()
    gc.freeze()


def collect() -> None:
    """Frees what refers to itself in circles; about 2 ms after `settle`. In the loop's thread, which made it."""
    gc.collect()


def trim() -> None:
    """Gives C's free pages back to the system. From any thread; other threads run meanwhile."""
    if (heap := _glibc()) is not None:
        heap.malloc_trim(0)


@cache
def _glibc() -> _Heap | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return cast(_Heap, library) if hasattr(library, "malloc_trim") else None
