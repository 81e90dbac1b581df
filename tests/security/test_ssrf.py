"""Where we connect to: no address that somebody hands us leads inside, counted at the socket."""

import asyncio
import ipaddress
import socket

import pytest
from hostile_urls import DRESSES, LITERALS, NAMES
from networks import Names, RecordingNetwork, Through, counting_door

from hawker.providers.actions import ProviderAccess
from hawker.providers.errors import BadProvider, CannotConnect
from hawker.providers.http_client import open_line
from hawker.providers.rules import ProviderUrl, is_public, read_provider_url

PUBLIC = "93.184.215.14"
OTHER = "2606:4700:4700::1111"


def try_url(url: str, through: Through) -> None:
    """Do all that a caller does to reach this address."""
    checked = read_provider_url(url, allow_private=False)
    asyncio.run(through.feed(checked, allow_private=False))


def through(**names: list[list[str]]) -> Through:
    return Through(RecordingNetwork(), Names({name.replace("_", "-") + ".example": row for name, row in names.items()}))


def test_there_are_hostile_addresses_enough() -> None:
    assert len(set(LITERALS) | set(DRESSES)) + len(NAMES) >= 100


@pytest.mark.parametrize("url", [*LITERALS, *DRESSES])
def test_a_hostile_address_is_not_even_read(url: str) -> None:
    # Names lead inside as well here: where the writing alone gets past, the connection must not.
    attempt = Through(RecordingNetwork(), Names({}))
    with pytest.raises(BadProvider):
        try_url(url.format(port=443), attempt)
    assert (attempt.network.dialled, attempt.names.asked) == ([], [])


@pytest.mark.parametrize("url", [url for url in LITERALS if "%" not in url])
def test_an_address_that_skipped_the_reading_is_not_dialled(url: str) -> None:
    """Whoever builds a ProviderUrl in another way still meets the check at the connection."""
    host = url.partition("://")[2].rpartition(":{port}")[0] or url.partition("://")[2].partition("/")[0]
    attempt = Through(RecordingNetwork(), Names({}))
    skipped = ProviderUrl(tls=False, host=host.strip("[]"), port=443, target="/")
    with pytest.raises(CannotConnect, match="not a public address"):
        asyncio.run(attempt.feed(skipped, allow_private=False))
    assert attempt.network.dialled == []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_not_dialled_when_one_of_its_addresses_is_not_public(name: str) -> None:
    attempt = Through(RecordingNetwork(), Names({name: [NAMES[name]]}))
    with pytest.raises(CannotConnect):
        try_url(f"https://{name}/api/v2", attempt)
    assert (attempt.network.dialled, attempt.names.asked) == ([], [name])


def test_nothing_hostile_reaches_a_real_listener() -> None:
    """The system's own resolver and network: whatever they make of an address, nobody is let through."""
    with counting_door() as door:
        for url in [*LITERALS, *DRESSES]:
            with pytest.raises((BadProvider, CannotConnect)):
                asyncio.run(_open(url.format(port=door.port)))
        assert door.knocks == []
        with socket.create_connection(("127.0.0.1", door.port), timeout=5) as knock:
            assert knock.recv(1) == b""
        assert len(door.knocks) == 1, "the door counts"


async def _open(url: str) -> None:
    await open_line(read_provider_url(url, allow_private=False), allow_private=False)


def test_the_system_may_read_numbers_as_addresses_and_still_nobody_is_dialled() -> None:
    with counting_door() as door:
        for host in ("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"):
            url = ProviderUrl(tls=False, host=host, port=door.port, target="/")
            with pytest.raises(CannotConnect):
                asyncio.run(open_line(url, allow_private=False))
        assert door.knocks == []


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_dialled() -> None:
    rebinding = through(moving=[[PUBLIC], ["127.0.0.1"]])
    with pytest.raises(CannotConnect):
        try_url("https://moving.example/api/v2", rebinding)
    assert (rebinding.names.asked, rebinding.network.dialled) == (["moving.example"], [PUBLIC])


def test_a_name_that_moved_inside_is_refused_at_its_next_connection() -> None:
    rebinding = through(moving=[[PUBLIC], ["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"]])
    for _ in range(4):
        with pytest.raises(CannotConnect):
            try_url("https://moving.example/api/v2", rebinding)
    assert rebinding.names.asked == ["moving.example"] * 4
    assert rebinding.network.dialled == [PUBLIC], "0 connections inside"


def test_lines_opened_side_by_side_are_each_checked() -> None:
    rebinding = through(moving=[[PUBLIC], ["127.0.0.1"]])
    access = ProviderAccess(1, "x", read_provider_url("https://moving.example/", allow_private=False), "k", False)

    async def open_all() -> list[object]:
        return await asyncio.gather(*(rebinding.provider(access) for _ in range(8)), return_exceptions=True)

    assert all(isinstance(failure, CannotConnect) for failure in asyncio.run(open_all()))
    assert rebinding.network.dialled == [PUBLIC]


def test_of_several_public_addresses_each_is_tried() -> None:
    several = through(two=[[PUBLIC, OTHER]])
    with pytest.raises(CannotConnect, match="this network ends here"):
        try_url("https://two.example/api/v2", several)
    assert several.network.dialled == [PUBLIC, OTHER]


@pytest.mark.parametrize(
    ("url", "host", "port", "header"),
    [
        ("https://panel.example/api/v2", "panel.example", 443, "panel.example"),
        ("https://PANEL.example./api/v2", "panel.example", 443, "panel.example"),
        ("https://panel.example:8443", "panel.example", 8443, "panel.example:8443"),
        ("https://bücher.example/api/v2?a=b%20c", "xn--bcher-kva.example", 443, "xn--bcher-kva.example"),
        ("https://8.8.8.8/api/v2", "8.8.8.8", 443, "8.8.8.8"),
        ("https://[2606:4700:4700::1111]:444/api/v2", "2606:4700:4700::1111", 444, "[2606:4700:4700::1111]:444"),
        ("https://my_panel.1st.example/api/v2", "my_panel.1st.example", 443, "my_panel.1st.example"),
    ],
)
def test_honest_addresses_are_read(url: str, host: str, port: int, header: str) -> None:
    read = read_provider_url(url, allow_private=False)
    assert (read.tls, read.host, read.port, read.host_header) == (True, host, port, header)


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "1.1.1.1", "2a00:1450::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/api/v2", "http://localhost/api/v2", "https://[::1]/", "http://10.0.0.1/"]
)
def test_a_switch_opens_ones_own_network(url: str) -> None:
    own = Through(RecordingNetwork(), Names({"localhost": [["127.0.0.1"]]}))
    checked = read_provider_url(url, allow_private=True)
    with pytest.raises(CannotConnect, match="this network ends here"):
        asyncio.run(own.feed(checked, allow_private=True))
    assert len(own.network.dialled) == 1
