"""One simulated panel as a whole: its state, its time, its faults and its record of calls."""

from collections import Counter

from hawker.sandbox.calls import CallLog
from hawker.sandbox.config import SandboxConfig
from hawker.sandbox.due import catch_up, schedule, wake_waiting
from hawker.sandbox.entries import CallSeen, Clocked, Funded, Reset
from hawker.sandbox.faults import ACTIONS, Faults
from hawker.sandbox.journal import Journal
from hawker.sandbox.panel import Panel
from hawker.sandbox.timeline import Moment, Timeline


class Sandbox:
    """Open it once per process and state folder; close it at the end.

    Faults and speed are those of the configuration at each start, whatever was set while it ran before.
    """

    def __init__(self, config: SandboxConfig) -> None:
        """Raises StateInUse or UnreadableJournal, both ValueErrors that say so in a sentence."""
        self.config = config
        self.faults: Faults = config.faults
        self.journal = Journal(config.state_dir)
        self.panel = Panel(config, self.journal)
        self.calls = CallLog(config.calls_kept)
        self.calls_by_action: Counter[str] = Counter()
        self.calls_by_fault: Counter[str] = Counter()
        self.created_by_fault: Counter[str] = Counter()
        try:
            self.timeline = self._restore()
        except BaseException:
            self.journal.close()
            raise
        self.panel.fund_new_keys()
        self.journal.flush()

    def _restore(self) -> Timeline:
        """Take up the state where the journal leaves it; time has gone on meanwhile at the speed it had."""
        now = self.config.clock.now()
        bend = Clocked(at=now, tick=0, speed=self.config.speed)
        for entry in self.journal.load():
            if isinstance(entry, Clocked):
                bend = entry
            elif isinstance(entry, CallSeen):
                self._keep(entry)
            else:
                self.panel.apply(entry)
                if isinstance(entry, Reset):
                    self._forget_calls()
        timeline = Timeline(bend)
        timeline.set_speed(now, self.config.speed)
        self.journal.write(timeline.bend)
        for order in self.panel.orders.values():
            schedule(self.panel, order)
        return timeline

    def catch_up(self) -> Moment:
        """The present moment, with everything done that fell due up to it."""
        moment = self.timeline.moment(self.config.clock.now())
        catch_up(self.panel, moment)
        return moment

    def record_call(self, call: CallSeen) -> None:
        """Keep a call for the tests that ask what was really received."""
        self.journal.write(call)
        self._keep(call)

    def _keep(self, call: CallSeen) -> None:
        self.calls.add(call)
        self.calls_by_action[call.action if call.action in ACTIONS else "other"] += 1
        if call.fault is not None:
            self.calls_by_fault[call.fault] += 1
            self.created_by_fault[call.fault] += (call.order is not None) + len(call.refills)

    def _forget_calls(self) -> None:
        self.calls.clear()
        for counts in (self.calls_by_action, self.calls_by_fault, self.created_by_fault):
            counts.clear()

    def set_speed(self, speed: float) -> Moment:
        """Run at another speed from now on, without a jump."""
        self.catch_up()
        self.timeline.set_speed(self.config.clock.now(), speed)
        self.journal.write(self.timeline.bend)
        return self.catch_up()

    def advance(self, ticks: int) -> Moment:
        """Let so many milliseconds of the sandbox's own time pass at once."""
        self.timeline.advance(self.config.clock.now(), ticks)
        self.journal.write(self.timeline.bend)
        return self.catch_up()

    def set_balance(self, key: str, micros: int) -> None:
        """Set the balance of a key, which is made where there is none."""
        moment = self.catch_up()
        self.panel.record(Funded(key, micros))
        wake_waiting(self.panel, key, moment.tick)

    def reset(self) -> None:
        """Forget orders, refills, balances and calls, and go back to the configured faults. Ids and time go on."""
        self.panel.reset()
        self._forget_calls()
        self.faults = self.config.faults

    def close(self) -> None:
        """Let go of the state folder."""
        self.journal.close()
