"""Reading the golden files of cases/: request bytes → reply bytes. The format is described in cases/README.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CASES = Path(__file__).with_name("cases")

_NAME = re.compile(r"\{([a-z_]+)\}")
_REPEAT = re.compile(r"\{([0-9]+) × (.*?)\}")
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|[rnt\\])")
_PLAIN = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
NEW_ORDER = "new_order"
MOMENT = "moment"


class BadCase(Exception):
    """A golden file that cannot be read, said with its file and line."""


@dataclass
class Reply:
    """What must come back: the HTTP status, and the body unless it is an interim answer."""

    status: int
    lines: list[str] = field(default_factory=list)

    def pattern(self, names: Mapping[str, str]) -> re.Pattern[bytes]:
        """The exact bytes of the body; where a new order's number stands, any number, and where a moment, any."""
        known = {**names, NEW_ORDER: "\0", MOMENT: "\1"}
        exact = re.escape(_bytes("\r\n".join(self.lines), known))
        exact = exact.replace(re.escape(b"\1"), rb"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z")
        return re.compile(exact.replace(re.escape(b"\0"), rb"([1-9][0-9]*)"), re.DOTALL)

    @property
    def new_orders(self) -> int:
        return sum(line.count(f"{{{NEW_ORDER}}}") for line in self.lines)


@dataclass
class Exchange:
    """Requests written in one go, and the replies to them in order."""

    requests: list[list[str]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def bytes_to_send(self, names: Mapping[str, str]) -> bytes:
        return b"".join(_request_bytes(lines, names) for lines in self.requests)


@dataclass
class Case:
    """One sentence about the wire, and the exchanges over one connection that prove it."""

    file: str
    title: str
    exchanges: list[Exchange] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"

    @property
    def new_orders(self) -> int:
        return sum(reply.new_orders for exchange in self.exchanges for reply in exchange.replies)


def read_cases() -> list[Case]:
    """Every case of every file, in the order of their names."""
    return [case for path in sorted(CASES.glob("*.txt")) for case in _read_file(path)]


def _read_file(path: Path) -> Iterator[Case]:
    case: Case | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        mark, _, rest = line.partition(" ")
        if mark == "===":
            if case is not None:
                yield case
            case = Case(path.stem, rest)
        elif mark in (">", ">>", "<") and case is not None:
            _add_line(case, mark, rest)
        elif line and not line.startswith("#"):
            raise BadCase(f"{path.name}, line {number}: {line[:60]!r} begins with none of === > >> < #")
    if case is not None:
        yield case


def _add_line(case: Case, mark: str, rest: str) -> None:
    if mark == "<":
        exchange = case.exchanges[-1]
        if re.fullmatch(r"[1-5][0-9]{2}", rest):
            exchange.replies.append(Reply(int(rest)))
        else:
            exchange.replies[-1].lines.append(rest)
        return
    if not case.exchanges or case.exchanges[-1].replies:
        case.exchanges.append(Exchange())
    requests = case.exchanges[-1].requests
    if mark == ">>" or not requests:
        requests.append([])
    requests[-1].append(rest)


def _request_bytes(lines: list[str], names: Mapping[str, str]) -> bytes:
    blank = lines.index("") if "" in lines else len(lines)
    body = _bytes("\r\n".join(lines[blank + 1 :]), names)
    head = _bytes("\r\n".join(lines[:blank]), {**names, "length": str(len(body))})
    return head + b"\r\n\r\n" + body


def _bytes(text: str, names: Mapping[str, str]) -> bytes:
    text = _NAME.sub(lambda found: names[found[1]], text)
    text = _REPEAT.sub(lambda found: found[2] * int(found[1]), text)
    pieces = re.split(r"(\\x[0-9a-f]{2})", text)
    plain = (_ESCAPE.sub(lambda found: _PLAIN[found[1]], piece).encode() for piece in pieces[::2])
    raw = [bytes.fromhex(piece[2:]) for piece in pieces[1::2]]
    return b"".join(a + b for a, b in zip(plain, [*raw, b""], strict=True))
