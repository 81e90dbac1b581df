"""Runs commands of `hawker` one after the other in one process, which saves a start for each.

Reads a JSON list of their words from stdin and writes a JSON list: what each answered, and the last row that the
audit log then had. Ends with the exit code of the first that fails.
"""

import contextlib
import io
import json
import sys

import psycopg

from hawker.cli.main import app
from hawker.core.settings import settings


def run(words: list[str]) -> dict[str, object]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        app(words, standalone_mode=False)
    with psycopg.connect(settings().folder.embedded_url("hawker")) as connection:
        (last,) = connection.execute("SELECT COALESCE(max(id), 0) FROM audit_event").fetchone() or (0,)
    return {"answer": json.loads(said.getvalue()), "last": last}


if __name__ == "__main__":
    json.dump([run(words) for words in json.load(sys.stdin)], sys.stdout)
