"""What the tests of subscriptions stand on: a feed that does as it is told, and one that posts by itself."""

from collections.abc import Iterator

import pytest
from feed_peer import FeedPeer, start_feed_peer

from hawker.catalog.models import Service
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def feed() -> Iterator[FeedPeer]:
    """A web server whose feeds say what the test has them say."""
    with start_feed_peer() as peer:
        yield peer


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    """The sandbox as a provider."""
    return panel.provider(sandbox)


@pytest.fixture
def service(panel: Panel, upstream: Provider, feed: FeedPeer) -> Service:
    """A local subscription over the feed peer, its posts bought at the sandbox: 0.90 for 1,000."""
    return panel.service(
        type="Subscriptions",
        provider=upstream,
        subscription="local",
        post_url=feed.template,
        post_private=True,
    )
