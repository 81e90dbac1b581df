"""The counters and histograms of /metrics: their names, labels and buckets, and their Prometheus families."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from hawker.core.counters import MICROS, REST, SECONDS, SIZES, SUM, Key


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is counted: its name for Prometheus, what it tells, its labels, its buckets if it has any."""

    name: str
    meaning: str
    labels: Sequence[str]
    bounds: Sequence[float] = ()


FIGURES = {
    "requests": Figure("hawker_requests_total", "Requests of API v2 that were answered.", ["action", "outcome"]),
    "batch_size": Figure("hawker_batch_size", "Requests in one batch.", ["action"], SIZES),
    "batch_wait": Figure(
        "hawker_batch_wait_seconds",
        "How long the first request of a batch waited for it to begin.",
        ["action"],
        SECONDS,
    ),
    "batch_run": Figure("hawker_batch_seconds", "How long a batch took.", ["action"], SECONDS),
    "upstream": Figure(
        "hawker_upstream_seconds", "How long a provider took to answer a call.", ["provider", "action"], SECONDS
    ),
    "upstream_calls": Figure("hawker_upstream_calls_total", "Calls to a provider.", ["provider", "action", "outcome"]),
    "attempts": Figure("hawker_attempts_total", "Attempts by outcome.", ["provider", "outcome"]),
}
"""By the names under which they are counted (core/counters.py)."""


class CounterFamilies(Collector):
    """The families of what was counted. Counts under an unknown name are left out."""

    def __init__(self, counted: Mapping[Key, int]) -> None:
        self._by_name: defaultdict[str, dict[Key, int]] = defaultdict(dict)
        for (name, *rest), times in counted.items():
            self._by_name[name][tuple(rest)] = times

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        for name, figure in FIGURES.items():
            rows = {key: times for key, times in self._by_name[name].items() if _fits(figure, key)}
            yield _histogram(figure, rows) if figure.bounds else _counter(figure, rows)


def _fits(figure: Figure, key: Key) -> bool:
    return len(key) == len(figure.labels) + bool(figure.bounds)


def _counter(figure: Figure, rows: Mapping[Key, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    for labels, times in sorted(rows.items()):
        family.add_metric(labels, times)
    return family


def _histogram(figure: Figure, rows: Mapping[Key, int]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    for labels in sorted({key[:-1] for key in rows}):
        buckets, below = [], 0
        for bound in (*(f"{bound:g}" for bound in figure.bounds), REST):
            below += rows.get((*labels, bound), 0)
            buckets.append((bound, below))
        family.add_metric(labels, buckets, sum_value=rows.get((*labels, SUM), 0) / MICROS)
    return family
