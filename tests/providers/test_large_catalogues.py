"""A provider with more services than one statement could carry."""

from hawker.catalog.models import Route, Service
from hawker.protocol.service_types import find_type
from hawker.protocol.upstream import UpstreamService
from hawker.providers.importing import import_services
from panel import Panel
from processes import SandboxProcess


def test_five_thousand_services_are_imported_and_followed(panel: Panel, sandbox: SandboxProcess) -> None:
    provider = panel.provider(sandbox)
    kind = find_type("Default")
    assert kind is not None

    def offered(rate: str) -> list[UpstreamService]:
        return [
            UpstreamService(
                service=number,
                name=f"Followers {number}",
                type=kind,
                category="Followers",
                rate=rate,
                minimum=10,
                maximum=1_000,
                refill=False,
                cancel=False,
                dripfeed=False,
            )
            for number in range(1, 5_001)
        ]

    report = import_services(provider, offered("1.00"), markup_percent=25, now=panel.clock.now())
    assert (report.imported, report.updated, report.skipped) == (5_000, 0, [])
    assert Route.objects.filter(provider=provider).count() == 5_000
    report = import_services(provider, offered("1.10"), markup_percent=25, now=panel.clock.now())
    assert (report.imported, report.updated, report.skipped) == (0, 5_000, [])
    assert set(Service.objects.values_list("rate", flat=True)) == {"1.375"}
