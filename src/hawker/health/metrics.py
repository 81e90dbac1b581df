"""The figures of health in the text that Prometheus reads.

All come from the database, so whichever of the panel's processes is asked, the answer is that of the whole panel.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hawker.core.counters import Key
from hawker.health.counter_families import CounterFamilies
from hawker.health.state import Health

_LABELS = ["kind", "provider"]


def write_metrics(health: Health, counted: Mapping[Key, int]) -> bytes:
    """The text format, UTF-8. `counted` is what all processes have counted (health/counter_store.py)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(health))
    registry.register(CounterFamilies(counted))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        health = self._health
        yield from self._work()
        orders = GaugeMetricFamily("hawker_orders", "Orders by state.", labels=["state"])
        for state, number in health.orders.items():
            orders.add_metric([state], number)
        yield orders
        yield from self._providers()
        alerts = GaugeMetricFamily("hawker_alerts_open", "Alerts that are open.", labels=["kind"])
        for kind, count in health.alerts.items():
            alerts.add_metric([kind], count)
        yield alerts
        yield _plain("hawker_orders_unknown", "Orders that the provider may or may not have.", health.unknown)
        yield _plain("hawker_orders_unknown_oldest_seconds", "Age of the oldest of them.", health.unknown_seconds)
        yield _plain("hawker_workers", "Workers with a heartbeat in the last minute.", health.workers)
        if health.heartbeat_seconds is not None:
            yield _plain(
                "hawker_worker_heartbeat_seconds", "Since the last heartbeat of any worker.", health.heartbeat_seconds
            )
        if health.check_seconds is not None:
            yield _plain("hawker_check_age_seconds", "Since the last check of every invariant.", health.check_seconds)
            yield _plain("hawker_check_breaches", "Breaches that it found.", health.breaches or 0)
        if health.backup_seconds is not None:
            yield _plain("hawker_backup_age_seconds", "Since the last backup.", health.backup_seconds)
        yield _plain("hawker_oldest_snapshot_seconds", "How long the oldest snapshot is held.", health.snapshot_seconds)

    def _work(self) -> Iterator[GaugeMetricFamily]:
        rows = GaugeMetricFamily("hawker_work", "Work that is open.", labels=_LABELS)
        due = GaugeMetricFamily("hawker_work_due", "Work that is due now.", labels=_LABELS)
        held = GaugeMetricFamily("hawker_work_held", "Work that is held.", labels=[*_LABELS, "reason"])
        oldest = GaugeMetricFamily("hawker_work_oldest_due_seconds", "How late the oldest is.", labels=_LABELS)
        for item in self._health.work:
            labels = [item.kind, item.provider]
            rows.add_metric(labels, item.rows)
            due.add_metric(labels, item.due)
            if item.oldest_seconds is not None:
                oldest.add_metric(labels, item.oldest_seconds)
        for held_item in self._health.held:
            held.add_metric([held_item.kind, held_item.provider, held_item.reason], held_item.rows)
        yield from (rows, due, held, oldest)

    def _providers(self) -> Iterator[GaugeMetricFamily]:
        takes = GaugeMetricFamily("hawker_provider_takes_orders", "1 while it is sent orders.", labels=["provider"])
        balance = GaugeMetricFamily(
            "hawker_provider_balance", "Our balance there, in its currency.", labels=["provider"]
        )
        drift = GaugeMetricFamily(
            "hawker_provider_unexplained", "By how much it is lower than our orders explain.", labels=["provider"]
        )
        for item in self._health.providers:
            takes.add_metric([item.name], item.takes_orders)
            if item.balance_micros is not None:
                balance.add_metric([item.name], item.balance_micros / 1_000_000)
            drift.add_metric([item.name], item.unexplained_micros / 1_000_000)
        yield from (takes, balance, drift)


def _plain(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
