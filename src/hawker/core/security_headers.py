"""The security headers of every answer but API v2's: what browsers may do with a page, said in one place."""

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
)
"""For answers that are no page: errors, JSON, files."""

PAGE_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of HTML pages: everything from our own host, and nothing inline."""

HSTS = (b"strict-transport-security", b"max-age=31536000")
"""Sent where the request came over HTTPS: browsers use nothing else for a year."""

_PAGE_HEADERS = (*SECURITY_HEADERS[:-1], (b"content-security-policy", PAGE_POLICY))
_NAMES = frozenset({*(name for name, _ in SECURITY_HEADERS), HSTS[0]})

Headers = list[tuple[bytes, bytes]]


def with_security_headers(headers: Headers, *, is_https: bool) -> Headers:
    """The headers of an answer with the security headers of its kind in place of any that it has."""
    own = [(name, value) for name, value in headers if name.lower() not in _NAMES]
    is_page = any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)
    return [*own, *(_PAGE_HEADERS if is_page else SECURITY_HEADERS), *([HSTS] if is_https else [])]
