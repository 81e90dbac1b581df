"""What an operation is, and the table of all operations.

An operation is one thing that a person may do. Its name, its permission and its audit action are one word, such as
`order.resolve`. Every way in (command line, pages, admin API) runs operations by name and adds no rule of its own.

This module and the modules of operations import no Django model when they are loaded, so that the table can be read
without a database: `hawker --help`, the documentation and the permission matrix are made from it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from hawker.core.actors import Actor
from hawker.operations.errors import NoSuchOperation, Refused

if TYPE_CHECKING:
    from hawker.audit.actions import AuditedChange, Facts

Input = TypeVar("Input")
Result = TypeVar("Result")


class OperationScope(StrEnum):
    STAFF = "staff"  # staff whose role has the permission
    OWN = "own"  # also customers, on what is their own


@dataclass(slots=True)
class Run:
    """One run of an operation, as its function sees it: who asks, when, and what is written to the audit log.

    `prepared` is what the operation's `prepare` answered. The function is called inside the transaction of the change.
    """

    operation: "Operation"
    actor: Actor
    now: datetime
    change: "AuditedChange"
    prepared: Any = None

    def watch(self, subject_id: object, describe: "Callable[[], Facts]", *, kind: str = "") -> None:
        """Describe the subject now and once more after the change; the fields that differ are written."""
        self.change.watch(kind or self.operation.subject, subject_id, describe)

    def note(
        self, subject_id: object, *, before: "Facts | None" = None, after: "Facts | None" = None, kind: str = ""
    ) -> None:
        """Write what was done to a subject, where describing it twice would not tell."""
        self.change.note(kind or self.operation.subject, subject_id, before=before, after=after)


def _no_subjects(_: Any) -> Sequence[object]:
    """The subjects of an operation that makes something new, whose id is not known before."""
    return ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a person may do.

    `subject` is the kind of thing that is changed; `subjects_of` answers the ids of those that an input names, which
    are locked and whose versions are compared before `run`. `prepare` asks providers or gateways before the
    transaction, and may refuse. `many` names the input's field that holds the subject where the operation can be run
    on a selection; `check_selection` may refuse a whole selection of ids before the first subject is changed, such as
    for a number that names nothing. An operation that is not `audited_by_run` opens its own transactions and writes
    its own audit rows. `step_up` asks the ways in for a fresh proof of who the person is.
    """

    name: str
    input: type[Any]
    result: type[Any]
    subject: str
    run: Callable[[Run, Any], Any]
    subjects_of: Callable[[Any], Sequence[object]]
    prepare: Callable[[Any], Any] | None = None
    many: str = ""
    check_selection: Callable[[Sequence[str]], None] | None = None
    scope: OperationScope = OperationScope.STAFF
    step_up: bool = False
    audited_by_run: bool = True
    secret_fields: frozenset[str] = frozenset()

    @property
    def is_edit(self) -> bool:
        """Whether its input names what it changes, so that the version of that can be compared."""
        return self.subjects_of is not _no_subjects

    @property
    def help(self) -> str:
        """What the operation does, in one or two sentences."""
        return (self.run.__doc__ or "").strip()


MODULES = (
    "alerts",
    "backups",
    "customers",
    "job_operations",
    "keys",
    "links",
    "orders",
    "prices",
    "providers",
    "refills",
    "routes",
    "secrets",
    "services",
)
"""The modules of this package that declare operations."""


@dataclass(slots=True)
class _Table(Mapping[str, Operation]):
    """All operations by name; loads the modules that declare them when it is first read."""

    _operations: dict[str, Operation] = field(default_factory=dict)
    _is_loaded: bool = False

    def add(self, operation: Operation) -> None:
        assert operation.name not in self._operations, f"two operations are called {operation.name}"
        self._operations[operation.name] = operation

    def _loaded(self) -> dict[str, Operation]:
        if not self._is_loaded:
            self._is_loaded = True
            for module in MODULES:
                import_module(f"hawker.operations.{module}")
        return self._operations

    def __getitem__(self, name: str) -> Operation:
        return self._loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._loaded()))

    def __len__(self) -> int:
        return len(self._loaded())


OPERATIONS = _Table()


def find_operation(name: str) -> Operation:
    """The operation of this name. Raises NoSuchOperation."""
    try:
        return OPERATIONS[name]
    except KeyError:
        raise NoSuchOperation(f"there is no operation {name[:80]!r}") from None


def operation(
    name: str,
    *,
    subject: str,
    ids: Callable[[Any], Sequence[object]] = _no_subjects,
    prepare: Callable[[Any], Any] | None = None,
    many: str = "",
    check_selection: Callable[[Sequence[str]], None] | None = None,
    scope: OperationScope = OperationScope.STAFF,
    step_up: bool = False,
    audited_by_run: bool = True,
    secret_fields: Sequence[str] = (),
) -> Callable[[Callable[[Run, Any], Any]], Callable[[Run, Any], Any]]:
    """Declare a function as the operation `name`. Its second parameter's type is the input, its return type the result.

    The other parameters are those of Operation; `ids` is its `subjects_of`.
    """
    assert not (many and prepare), "an operation on many subjects asks nobody outside"

    def declare(function: Callable[[Run, Any], Any]) -> Callable[[Run, Any], Any]:
        _, given, result = function.__annotations__.values()
        OPERATIONS.add(
            Operation(
                name=name,
                input=given,
                result=result,
                subject=subject,
                run=function,
                subjects_of=ids,
                prepare=prepare,
                many=many,
                check_selection=check_selection,
                scope=scope,
                step_up=step_up,
                audited_by_run=audited_by_run,
                secret_fields=frozenset(secret_fields),
            )
        )
        return function

    return declare


@contextmanager
def refusing(*expected: type[Exception]) -> Iterator[None]:
    """Turn the expected errors of a verb, whose message is a sentence, into Refused."""
    try:
        yield
    except expected as error:
        raise Refused(str(error)) from error
