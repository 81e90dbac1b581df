"""`hawker job`, and machine commands that are operations: what a person reads, and repeats."""

import csv
import json
from pathlib import Path

import pytest

from hawker.audit.actions import list_audit_events
from hawker.operations import jobs
from hawker.operations.jobs import Selection, advance_job, start_job
from hawker.operations.running import EVERYTHING
from one_process import Call, run_commands
from panel import Panel
from people import ANNA

ID = "a backup of tonight"


@pytest.fixture
def waiting(panel: Panel) -> int:
    """A job of which two of 201 subjects are done or refused."""
    order = panel.place(panel.customer(), panel.service())
    ids = (str(order), *map(str, range(900_000, 900_000 + jobs.INLINE)))
    job = start_job(
        "order.cancel",
        {"reason": "closing"},
        Selection(ids),
        actor=ANNA,
        permissions=EVERYTHING,
        now=panel.clock.now(),
    )
    advance_job(job.job, now=panel.clock.now(), limit=2)
    return job.job


def test_a_job_is_listed_shown_and_stopped(panel: Panel, waiting: int) -> None:
    commands = [
        ["list"],
        ["list", "--state", "finished"],
        ["show", str(waiting)],
        ["stop", str(waiting)],
        ["stop", str(waiting)],
        ["list", "--state", "stopped"],
        ["show", "77777"],
        ["stop", "77777"],
        ["result", "77777"],
    ]
    listed, none, shown, stopped, again, over, *missing = run_commands([Call(["job", *words]) for words in commands])
    assert [shown.answer | job for job in listed.answer] == [shown.answer]
    assert none.answer == []
    assert shown.answer == shown.answer | {"operation": "order.cancel", "by": "staff:anna", "state": "running"}
    assert (shown.answer["total"], shown.answer["done"], shown.answer["refused"]) == (201, 1, 1)
    assert stopped.answer == {"job": waiting, "state": "stopped", "total": 201, "done": 1, "refused": 1}
    assert (again.code, again.stderr) == (1, f"hawker: job {waiting} has ended already: stopped\n")
    assert [job["job"] for job in over.answer] == [waiting]
    assert {(each.code, each.stderr) for each in missing} == {(1, "hawker: there is no job 77777\n")}
    (event,) = list_audit_events(action="job.stop", limit=5)
    assert (event["before"], event["after"]) == ({"state": "running"}, {"state": "stopped", "done": 1})


def test_the_result_of_a_job_has_a_line_for_each_subject(panel: Panel, waiting: int) -> None:
    as_json, as_csv = run_commands([Call(["job", "result", str(waiting), *more]) for more in ([], ["--format", "csv"])])
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert len(lines) == 201
    order = int(lines[0]["subject"])
    assert lines[0] == {
        "subject": str(order),
        "state": "done",
        "answer": {"order": order, "cancel": "canceled"},
        "moved": {"refund": "0.09"},
    }
    assert lines[1] == {
        "subject": "900000",
        "state": "refused",
        "answer": "there is no order 900000",
        "moved": {},
    }
    assert {line["state"] for line in lines[2:]} == {"waiting"}
    head, first, second, *_ = csv.reader(as_csv.stdout.splitlines())
    assert head == ["subject", "state", "answer", "moved"]
    assert (first[:2], json.loads(first[2]), json.loads(first[3])) == (
        [str(order), "done"],
        lines[0]["answer"],
        lines[0]["moved"],
    )
    assert second == ["900000", "refused", "there is no order 900000", ""]


def test_a_backup_that_is_repeated_under_its_id_is_made_once(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    words = ["backup", str(path), "--operation-id", ID]
    first, again, other = run_commands([Call(words), Call(words), Call(words[:2])])
    assert first.answer == again.answer
    assert first.answer["backup"] == str(path)
    assert "keep it where only you can read it" in first.stderr
    assert (other.code, other.stdout) == (1, "")
    (event,) = list_audit_events(action="backup.make", limit=5)
    assert event["subject"] == {"kind": "backup", "id": str(path)}
