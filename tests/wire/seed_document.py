"""The examples of seed-api.txt, taken from its text, and a comparer that checks answers against them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEED = Path(__file__).with_name("seed-api.txt").read_text(encoding="utf-8")


def example(title: str) -> Any:
    """The example response of the section of this title."""
    section = SEED.partition(f"\n{title}\nParameters |")[2]
    assert section, f"the seed has no section {title}"
    value, _ = json.JSONDecoder().raw_decode(section.partition("Example response\n")[2])
    return value


def compact(value: object) -> bytes:
    """The example as it goes over the wire: without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read_strictly(body: bytes) -> Any:
    """The JSON value of these bytes, which must be compact and hold no key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), f"a key stands twice in {body[:200]!r}"
        return dict(pairs)

    value = json.loads(body, object_pairs_hook=unique)
    assert compact(value) == body, f"not compact: {body[:200]!r}"
    return value


def differences(shown: Any, answered: Any, *, where: str = "$", extra: tuple[str, ...] = ()) -> Iterator[str]:
    """How an answer differs in keys, order, JSON types or shape from what the seed shows.

    Objects whose keys are ids, and arrays, are held item by item against any item of the example.
    Keys of `extra` may follow those of the example.
    """
    if kind(shown) != kind(answered):
        yield f"{where}: {kind(answered)} {answered!r} instead of {kind(shown)} {shown!r}"
    elif isinstance(shown, list):
        for place, item in enumerate(answered):
            yield from _closest(shown, item, f"{where}[{place}]", extra)
    elif isinstance(shown, dict) and shown and all(key.isdigit() for key in shown):
        for key, item in answered.items():
            yield from _closest(list(shown.values()), item, f"{where}.{key}", extra)
    elif isinstance(shown, dict):
        keys = [key for key in answered if key not in extra]
        if keys != list(shown) or list(answered)[: len(shown)] != list(shown):
            yield f"{where}: the keys {list(answered)} instead of {list(shown)}"
        else:
            for key, item in shown.items():
                yield from differences(item, answered[key], where=f"{where}.{key}")


def _closest(examples: list[Any], item: Any, where: str, extra: tuple[str, ...]) -> list[str]:
    found = [list(differences(shown, item, where=where, extra=extra)) for shown in examples]
    return min(found, key=len, default=[f"{where}: the seed shows no items"])


def kind(value: Any) -> str:
    """The JSON type of a value; texts that hold numbers are kinds of their own."""
    if isinstance(value, str):
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value, re.ASCII):
            return "text of a number"
        return "text"
    names = {bool: "boolean", int: "number", float: "fraction", dict: "object", list: "array"}
    return names.get(type(value), "null")
