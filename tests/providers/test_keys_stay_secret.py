"""Providers' keys go in and never come out: not by any command, nor where a provider says them back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import typer.main

from hawker.cli.main import app
from hawker.providers.models import Provider
from one_process import Call, run_commands
from panel import Panel
from processes import SandboxProcess
from scripted_upstream import start_scripted_upstream

HOSTILE = "no\r\n\x1b]0;owned\x07\x1b[2Jhawker: all is well\x9b31m\u202e"


def test_no_provider_command_shows_a_key(panel: Panel, sandbox: SandboxProcess, tmp_path: Path) -> None:
    wrong, key_file = "a-key-that-is-wrong-77", tmp_path / "key"
    key_file.write_text(f"{sandbox.key}\n")
    to = ("--url", sandbox.url, "--allow-private")
    ours, theirs = {"HAWKER_PROVIDER_KEY": sandbox.key}, {"HAWKER_PROVIDER_KEY": wrong}
    calls = [
        (1, Call(("add", "acme", *to, "--key", wrong))),
        (1, Call(("add", "acme", *to))),
        (1, Call(("add", "acme", *to, "--key", wrong, "--key-file", str(key_file)))),
        (1, Call(("add", "acme", *to, "--key-file", "/no/such/file"))),
        (0, Call(("add", "acme", *to, "--key-file", str(key_file)))),
        (1, Call(("add", "acme", *to), environment=ours)),
        (0, Call(("import", "acme", "--category", "Flyers"))),
        (1, Call(("set", "acme", "--key", wrong))),
        (1, Call(("set", "acme", "--url", "http://127.0.0.1:1/api/v2"), environment=theirs)),
        (0, Call(("set", "acme", "--url", sandbox.url, "--key-file", "-"), given=sandbox.key)),
        (0, Call(("list",))),
        (0, Call(("show", "acme"))),
        (0, Call(("pause", "acme", "--reason", "theirs"))),
        (0, Call(("resume", "acme"))),
    ]
    group: Any = typer.main.get_command(app)
    assert {call.words[0] for _, call in calls} == set(group.commands["provider"].commands)
    done = run_commands([replace(call, words=("provider", *call.words)) for _, call in calls])
    for (code, call), ended in zip(calls, done, strict=True):
        assert ended.code == code, (call, ended)
        assert not [key for key in (wrong, sandbox.key) if key in ended.stdout + ended.stderr], call
    assert Provider.objects.get().name == "acme"


def test_what_a_provider_answers_is_shown_and_not_obeyed(panel: Panel) -> None:
    with start_scripted_upstream() as upstream:
        panel.provider(upstream, name="known")  # type: ignore[arg-type]  # only its url and key are looked at
        upstream.answer = lambda form: {"error": f"{HOSTILE} {form['key'][0]}"}  # type: ignore[method-assign]
        to = ("--url", upstream.url, "--key", upstream.key)
        calls = [("add", "other", "--allow-private", *to), ("set", "known", *to), ("import", "known")]
        done = run_commands([Call(("provider", *words)) for words in calls])
    for ended in done:
        assert (ended.code, ended.stdout) == (1, "")
        assert ended.stderr.startswith("hawker: ")
        assert "all is well" in ended.stderr
        assert ended.stderr.endswith("\n")
        assert ended.stderr[:-1].isprintable()
        assert upstream.key not in ended.stderr
    assert Provider.objects.count() == 1
