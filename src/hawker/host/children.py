"""The processes of a panel: started, started again when they end, stopped, and never left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hawker.host.backoff import Backoff
from hawker.host.speech import Say

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to keep running."""

    name: str
    argv: Sequence[str]
    pass_fds: tuple[int, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""


class Child:
    """Keeps one process running: ended, it is started again after 1 s, doubling to 30 s; a quiet minute resets."""

    def __init__(self, spec: ChildSpec, say: Say) -> None:
        self.spec = spec
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._backoff = Backoff(first_seconds=1.0, longest_seconds=30.0, quiet_seconds=60.0)

    @property
    def pid(self) -> int | None:
        """The number of the process, None while it waits to be started again."""
        return self._process.pid if self._process else None

    @property
    def failures(self) -> int:
        """How often it ended since it last ran for a minute."""
        return self._backoff.failures

    def keep_running(self, now: float) -> None:
        """One step of the watch at `now` (monotonic seconds): notice an end, start what is due."""
        if self._process is not None and self._process.poll() is not None:
            self._note_end(now, _how(self._process.returncode))
        if self._process is None and now >= self._start_at:
            self._start(now)

    def ask_to_stop(self) -> None:
        """Send SIGTERM: finish what is in hand, then end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to it and to what it has started itself."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        self._started_at = now
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the words come from the panel itself
                self.spec.argv,
                stdin=subprocess.DEVNULL,
                # Our stdout carries one line for a machine, so theirs goes where people read.
                stdout=2,
                pass_fds=self.spec.pass_fds,
                env={**os.environ, **self.spec.env},
                # A Ctrl-C at the terminal is for us alone: we tell them in the right order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the supervisor runs no threads
            )
        except OSError as error:
            self._note_end(now, f"could not be started: {error.strerror}")

    def _note_end(self, now: float, how: str) -> None:
        self._process = None
        wait = self._backoff.failed(now - self._started_at)
        self._start_at = now + wait
        self._say(f"{self.spec.name} {how}, starting it again in {wait:.0f} s")


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        # Real-time signals have numbers and no names, and must not end the supervisor along with the child.
        return f"was ended by signal {-code}"


def _die_with(parent: int) -> Callable[[], None]:
    """Between fork and exec: have the kernel end the child when its parent is killed.

    It would otherwise hold the port and go on working unsupervised. The kernel watches the *thread* that
    forked, so children are started by the supervisor's main thread, which lives as long as the process.
    """

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # It died before it was watched.
            os._exit(1)

    return arrange


def reap_strangers(known: Collection[int]) -> None:
    """Take the exit codes of processes that nobody waits for.

    As the first process of a container we inherit every orphan, the ended postmaster among them.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in known:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)
