"""What the postmaster's log says about an end."""

import re
from pathlib import Path

_LONGEST_TAIL_BYTES = 65_536
_SEVERE = re.compile(r"(?:.* \[\d+\] )?(?:FATAL|PANIC):\s+(.*)")
"""Lines about a client carry its name between the process number and the level, and explain nothing here."""
_READY = "database system is ready to accept connections"


def was_ready(log: Path, offset: int) -> bool:
    """Whether the server came so far after `offset` bytes that it took clients."""
    return any(_READY in line for line in _tail(log, offset))


def last_reason(log: Path, offset: int) -> str:
    """The server's last FATAL or PANIC sentence after `offset` bytes, else the last line, for people."""
    lines = _tail(log, offset)
    severe = [match.group(1) for match in map(_SEVERE.match, lines) if match]
    spoken = severe or [line for line in lines if line.strip()]
    return f"{spoken[-1]} (from {log})" if spoken else f"it ended without a message in {log}"


def _tail(log: Path, offset: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(offset, log.stat().st_size - _LONGEST_TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
