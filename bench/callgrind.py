"""Talking to callgrind from inside the Python that it runs: count from here, count no more, write down what there was.

Valgrind knows its requests by a sequence of machine instructions that does nothing elsewhere. So what comes before
and after the counted stretch, the imports for one, costs neither instructions nor, at a fiftieth of the speed, time.
"""

import ctypes
import mmap
import platform

# rax = the request's six words, rdx = the answer where no valgrind is; valgrind.h, amd64.
_CODE = bytes.fromhex("4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")
_RUNNING_ON_VALGRIND = 0x1001
_TOOL = ord("C") << 24 | ord("T") << 16
_DUMP, _START, _STOP = _TOOL, _TOOL + 4, _TOOL + 5


class NotCounted(Exception):
    """This process does not run under valgrind, or on a processor whose code is not known here."""


class Callgrind:
    """The callgrind that runs this process with `--instr-atstart=no`. Raises NotCounted where there is none."""

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            raise NotCounted(f"the instructions of {platform.machine()} are not known")
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(_CODE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)
        if not self._ask(_RUNNING_ON_VALGRIND):
            raise NotCounted("run it under valgrind --tool=callgrind --instr-atstart=no")

    def start(self) -> None:
        """Count from here on."""
        self._ask(_START)

    def stop(self) -> None:
        """Count no more, and write what was counted to the next numbered file."""
        self._ask(_DUMP)
        self._ask(_STOP)

    def _ask(self, request: int) -> int:
        words = (ctypes.c_uint64 * 6)(request)
        return int(self._call(ctypes.addressof(words)))
