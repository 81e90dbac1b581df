"""What goes back over the wire where it is more than the bytes of a JSON document."""

from collections.abc import Sequence
from dataclasses import dataclass

JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A status, the headers beside type and length, and the body."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
