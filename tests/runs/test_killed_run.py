"""A test run that is killed leaves no process and no folder behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from processes import eventually

TESTS = Path(__file__).parents[1]
HANGING = """
import json, os, pathlib, signal

def test_that_never_ends(panel, server, sandbox, cluster):
    pids = [os.getpid(), cluster.pid, server.pid, sandbox.pid]
    found = pathlib.Path("FOUND")
    found.with_suffix(".new").write_text(json.dumps({"pids": pids, "folder": str(cluster.folder.path)}))
    found.with_suffix(".new").rename(found)
    signal.pause()
"""


def test_the_processes_and_folders_of_a_killed_run_end_with_it(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    (tmp_path / "test_hanging.py").write_text(HANGING.replace("FOUND", str(found)))
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-n", "1", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HAWKER_"))}
    run = subprocess.Popen(
        [*command, "-c", str(TESTS.parent / "pyproject.toml")],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually("the run is under way", lambda: found.exists() or run.poll() is not None, seconds=300)
        told = json.loads(found.read_text())
        family = [psutil.Process(pid) for pid in told["pids"]]
        family += [child for process in family for child in process.children(recursive=True)]
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    eventually("every process has ended", lambda: not any(is_alive(process) for process in family), seconds=120)
    eventually("the folder is gone", lambda: not Path(told["folder"]).exists(), seconds=120)


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
