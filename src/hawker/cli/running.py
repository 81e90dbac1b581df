"""Commands that run operations: flags become the input, the result becomes one line of JSON.

`runs` makes a command of a function that only turns its flags into the input's fields. What every such command takes
(`--operation-id`, `--seen`, and for many subjects `--filter` and `--dry-run`) is added here, once.
"""

import inspect
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hawker.cli.list_options import read_pairs
from hawker.cli.output import answer, fail, say
from hawker.cli.panel import DataDirOption, panel
from hawker.core.actors import Actor, ActorKind
from hawker.core.clock import SystemClock
from hawker.operations.base import Operation, find_operation
from hawker.operations.errors import BadInput, OperationError
from hawker.operations.inputs import help_of, limits_of

if TYPE_CHECKING:
    from hawker.operations.jobs import ItemView, JobView

OperationIdOption = Annotated[
    str | None,
    typer.Option(
        help="Any id of yours, such as a UUID: a second command with it changes nothing and answers the same."
    ),
]
SeenOption = Annotated[
    int | None, typer.Option(min=0, help="The `version` that you saw: refused where somebody changed it since.")
]
FilterOption = Annotated[
    list[str], typer.Option("--filter", help="Instead of numbers: all that the list finds, such as state=queued.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done and refused.")]

Values = Mapping[str, Any]
MAX_TOLD = 100
"""How many refusals of a job a command tells one by one; `hawker job result` has all."""


def actor() -> Actor:
    """The account that runs this command, as the system knows it: LOGNAME is what anybody says it is."""
    try:
        return Actor(ActorKind.CLI, os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return Actor(ActorKind.CLI, os.getuid(), str(os.getuid()))


def flag(operation: str, field: str, *names: str, help: str = "") -> Any:  # noqa: A002 - as Typer calls it
    """An option for a field of an operation's input, with its limits and, unless another one is given, its help."""
    kind = find_operation(operation).input
    low, high = limits_of(kind, field)
    return typer.Option(*names, help=help or help_of(kind, field), min=low, max=high)


def place(operation: str, field: str, *, help: str = "") -> Any:  # noqa: A002 - as Typer calls it
    """A positional argument for a field of an operation's input, with its limits and, unless given, its help."""
    kind = find_operation(operation).input
    low, high = limits_of(kind, field)
    return typer.Argument(help=help or help_of(kind, field), min=low, max=high)


def runs(
    app: typer.Typer,
    operation: str,
    *,
    name: str | None = None,
    show: Callable[[Any], Any] = lambda result: result,
    many: str = "",
    show_many: "Callable[[JobView, Sequence[ItemView]], Any] | None" = None,
    context_settings: dict[str, Any] | None = None,
) -> Callable[[Callable[..., Values]], Callable[..., Values]]:
    """Make a command of a function that turns flags into the input of `operation`; its docstring is the help.

    `show` turns the result into what is printed. For an operation on many subjects, `many` is the list whose filters
    select them, and the function answers the subjects as a list in the field that the operation names; `show_many`
    turns the job into what is printed, where that is not the job itself.
    """

    def declare(function: Callable[..., Values]) -> Callable[..., Values]:
        shared: dict[str, Any] = {"operation_id": OperationIdOption, "data_dir": DataDirOption}
        if many:
            shared |= {"filters": FilterOption, "dry_run": DryRunOption}
        if find_operation(operation).is_edit:
            shared |= {"seen": SeenOption}

        def command(**flags: Any) -> None:
            chosen = {each: flags.pop(each) for each in shared}
            values = function(**flags)
            if many:
                _run_many(find_operation(operation), values, chosen, many, show, show_many)
            else:
                _run_one(operation, values, show, operation_id=chosen["operation_id"], seen=chosen.get("seen"))

        _give_signature(command, function, shared)
        app.command(name=name, context_settings=context_settings)(command)
        return function

    return declare


def _give_signature(command: Callable[..., None], function: Callable[..., Values], shared: Mapping[str, Any]) -> None:
    """The parameters of the function, and after them the shared ones: Typer makes the flags from them."""
    defaults: dict[str, Any] = {"filters": [], "dry_run": False}
    more = [
        inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(each), annotation=annotation)
        for each, annotation in shared.items()
    ]
    signature = inspect.signature(function, eval_str=True)
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    command.__signature__ = signature.replace(parameters=[*own, *more], return_annotation=None)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (*own, *more)}
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__


def _run_one(
    operation: str, values: Values, show: Callable[[Any], Any], *, operation_id: str | None, seen: int | None
) -> None:
    with panel():
        from hawker.operations.running import EVERYTHING, run_operation

        try:
            result = run_operation(
                operation,
                values,
                actor=actor(),
                permissions=EVERYTHING,
                now=SystemClock().now(),
                operation_id=operation_id,
                seen=seen,
            )
        except OperationError as error:
            _refuse(error)
        answer(show(result))


def _run_many(
    operation: Operation,
    values: Values,
    chosen: Mapping[str, Any],
    list_name: str,
    show: Callable[[Any], Any],
    show_many: "Callable[[JobView, Sequence[ItemView]], Any] | None",
) -> None:
    subjects: Sequence[Any] = values[operation.many] or ()
    rest = {field: value for field, value in values.items() if field != operation.many}
    if bool(subjects) == bool(chosen["filters"]):
        fail("say either which ones, or --filter")
    if len(subjects) == 1 and not chosen["dry_run"]:
        one = {**rest, operation.many: subjects[0]}
        _run_one(operation.name, one, show, operation_id=chosen["operation_id"], seen=chosen.get("seen"))
        return
    if chosen.get("seen") is not None:
        fail("--seen is the version of one subject: name one, without --dry-run")
    with panel():
        from hawker.operations.jobs import Selection, read_items, start_job
        from hawker.operations.running import EVERYTHING

        filters = read_pairs(chosen["filters"])
        selection = Selection(tuple(map(str, subjects)), list_name if filters else "", filters)
        try:
            job = start_job(
                operation.name,
                rest,
                selection,
                actor=actor(),
                permissions=EVERYTHING,
                now=SystemClock().now(),
                dry_run=chosen["dry_run"],
                operation_id=chosen["operation_id"],
            )
        except OperationError as error:
            _refuse(error)
        items = list(read_items(job.job))
        refused = [item for item in items if item.state == "refused"]
        for item in refused[:MAX_TOLD]:
            say(item.answer)
        if len(refused) > MAX_TOLD:
            say(f"and {len(refused) - MAX_TOLD} more: hawker job result {job.job}")
        if job.finished_at is not None and not job.done and not job.dry_run:
            fail("nothing was changed")
        answer(job if show_many is None or job.dry_run else show_many(job, items))


def _refuse(error: OperationError) -> None:
    """End the command with the sentence of an operation that was not done."""
    if isinstance(error, BadInput):
        fail(f"{error.field.replace('_', ' ')}: {error.why}")
    fail(str(error))
