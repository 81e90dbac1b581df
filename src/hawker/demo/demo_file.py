"""What the demo must remember between starts: its API key (shown once, stored nowhere else) and addresses."""

import os

import msgspec

from hawker.core.datadir import DataDir


class DemoFile(msgspec.Struct, frozen=True):
    """The content of demo.json; `service` and `quantity` make the order that a visitor is invited to place."""

    api_key: str
    sandbox_url: str
    service: int
    quantity: int


def read_demo_file(folder: DataDir) -> DemoFile | None:
    """The demo of this folder, or None where there is none or it cannot be read."""
    try:
        return msgspec.json.decode(folder.demo_file.read_bytes(), type=DemoFile)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_demo_file(folder: DataDir, demo: DemoFile) -> None:
    """Remember the demo, for its owner's eyes only, whole or not at all."""
    fresh = folder.demo_file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(demo))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder.demo_file)
