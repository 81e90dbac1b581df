"""Patterns of forbidden links: a host means the host, a text is found anywhere, and disguises do not help."""

import pytest

from hawker.catalog.links import ForbiddenLinks, host_of, read_pattern


def forbids(pattern: str, link: str) -> bool:
    kept = read_pattern(pattern)
    assert kept is not None
    return ForbiddenLinks.of([kept]).match(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com",
        "http://EXAMPLE.com/page",
        "https://www.example.com:8443/page?x=1#y",
        "https://a.b.example.com.",
        "example.com/page",
        "@example.com",
        "https://example。com/",
        "https://ｅｘａｍｐｌｅ.com/",
        "https://ex%61mple.com/page",
        "https://example%2Ecom",
        "https://example.com。/",
        "https://www.example.com．/",
    ],
)
def test_a_host_forbids_itself_and_all_under_it(link: str) -> None:
    assert forbids("example.com", link)
    assert forbids("*.Example.COM", link)


@pytest.mark.parametrize(
    "link", ["https://myexample.com", "https://example.com.au", "https://other.org/?to=example.com", "@example"]
)
def test_a_host_forbids_nothing_else(link: str) -> None:
    assert not forbids("example.com", link)


def test_a_host_is_the_same_in_both_of_its_spellings() -> None:
    assert host_of("https://BÜCHER.example/") == "xn--bcher-kva.example"
    assert forbids("bücher.example", "https://xn--bcher-kva.example/")
    assert forbids("xn--bcher-kva.example", "https://bücher.example/x")


@pytest.mark.parametrize(
    ("pattern", "link", "found"),
    [
        ("casino", "https://example.com/My-CASINO-page", True),
        ("casino", "https://example.com/c%61sino", True),
        ("casino", "https://example.com/ｃａｓｉｎｏ", True),
        ("100%25", "https://example.com/100%25", True),
        ("a*b*c", "https://x.org/a-b-c", True),
        ("a*b*c", "https://x.org/acb", False),
        ("x*x", "https://y.org/x", False),
        ("t.me/joinchat", "https://t.me/joinchat/abc", True),
        ("t.me/joinchat", "https://t.me/name", False),
        ("@rival", "@Rival_official", True),
        ("(a+)+$", "https://example.com/" + "a" * 2_000, False),
    ],
)
def test_a_text_is_found_anywhere_in_the_link(pattern: str, link: str, found: bool) -> None:
    assert forbids(pattern, link) is found


@pytest.mark.parametrize("pattern", ["", " ", "*", "**", "a b", "a\nb", "x" * 201, "a\x00b", "\u200b"])
def test_what_cannot_be_a_pattern_is_none(pattern: str) -> None:
    assert read_pattern(pattern) is None
