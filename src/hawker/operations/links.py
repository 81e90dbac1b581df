"""What staff do with links that customers may not order for."""

from dataclasses import dataclass
from typing import Annotated, Protocol, TypeAlias

from msgspec import Meta

from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput
from hawker.operations.inputs import MAX_SERVICE

Patterns: TypeAlias = Annotated[
    list[str],
    Meta(
        min_length=1,
        max_length=1_000,
        description="A host (example.com: it and all under it), or a text found anywhere in a link, * for anything "
        "between.",
    ),
]
OfService: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_SERVICE, description="With this service only.")] | None


class _OfList(Protocol):
    @property
    def service(self) -> int | None: ...


def _list(given: _OfList) -> str:
    """The id by which the audit log knows the list of patterns."""
    return "all services" if given.service is None else f"service {given.service}"


@dataclass(frozen=True, slots=True)
class ForbidLinks:
    patterns: Patterns
    service: OfService = None


@dataclass(frozen=True, slots=True)
class AllowLinks:
    patterns: Patterns
    service: OfService = None


@dataclass(frozen=True, slots=True)
class LinksForbidden:
    """The patterns as they are kept."""

    forbidden: list[str]


@dataclass(frozen=True, slots=True)
class LinksAllowed:
    """Those of the patterns that were on the list."""

    allowed: list[str]


@operation("link.forbid", subject="links")
def forbid_links(run: Run, given: ForbidLinks) -> LinksForbidden:
    """Refuse orders for links that match a pattern, with `Incorrect link`. Orders that were placed go on."""
    from hawker.catalog import actions
    from hawker.catalog.errors import BadPattern, NoSuchService

    try:
        with refusing(NoSuchService):
            kept = actions.forbid_links(given.patterns, service_id=given.service, now=run.now)
    except BadPattern as error:
        raise BadInput("patterns", str(error)) from error
    run.note(_list(given), after={"forbidden": kept})
    return LinksForbidden(kept)


@operation("link.allow", subject="links")
def allow_links(run: Run, given: AllowLinks) -> LinksAllowed:
    """Take patterns off the list of forbidden links; answers those that were on it."""
    from hawker.catalog import actions
    from hawker.catalog.errors import BadPattern

    try:
        gone = actions.allow_links(given.patterns, service_id=given.service)
    except BadPattern as error:
        raise BadInput("patterns", str(error)) from error
    run.note(_list(given), before={"forbidden": gone})
    return LinksAllowed(gone)
