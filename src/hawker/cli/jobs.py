"""`hawker job`: operations on many subjects, how far they are, and what became of each subject."""

import csv
import io
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from hawker.cli.list_options import (
    AfterOption,
    FilterOption,
    Format,
    FormatOption,
    LimitOption,
    SortOption,
    Wanted,
    answer_list,
)
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, place, runs
from hawker.core.terminal import one_line

app = typer.Typer(no_args_is_help=True)


JobArgument = Annotated[int, place("job.stop", "job")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Jobs, newest first: which operation, by whom, how far they are."""
    del data_dir
    with panel():
        answer_list("jobs", Wanted(filters, sort, after, limit, format_), {"state": state})


@app.command()
def show(job: JobArgument, *, data_dir: DataDirOption = None) -> None:
    """One job: which operation, by whom, how many subjects are done and refused, what money moved."""
    del data_dir
    with panel():
        from hawker.operations.errors import NoSuchJob
        from hawker.operations.jobs import find_job

        with sentences(NoSuchJob):
            answer(find_job(job))


@app.command()
def result(
    job: JobArgument,
    *,
    format_: Annotated[Format, typer.Option("--format", help="One JSON object in each line, or CSV.")] = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """What became of each subject of a job: done with its answer, refused with why, or waiting."""
    del data_dir
    with panel():
        from hawker.operations.errors import NoSuchJob
        from hawker.operations.jobs import find_job, read_items

        with sentences(NoSuchJob):
            find_job(job)
        if format_ is Format.CSV:
            _write_csv(["subject", "state", "answer", "moved"])
        for item in read_items(job):
            done = item.state == "done"
            if format_ is Format.CSV:
                moved = msgspec.json.encode(item.moved).decode() if item.moved else ""
                _write_csv([item.subject, item.state, item.answer, moved])
            else:
                told = msgspec.Raw(item.answer.encode()) if done else item.answer
                answer({"subject": item.subject, "state": item.state, "answer": told, "moved": item.moved})


@runs(app, "job.stop")
def stop(job: JobArgument) -> Values:
    """Do no more of a job. What was done stays done."""
    return {"job": job}


def _write_csv(cells: Sequence[str]) -> None:
    """Print one line of CSV; what is in a cell neither ends the line nor steers the terminal."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([one_line(cell) for cell in cells])
    sys.stdout.write(line.getvalue())
