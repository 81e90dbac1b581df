"""What a page may know of whoever looks at it."""

import re

from django.http import HttpRequest

from hawker.core.addresses import is_within, read_address, read_networks
from hawker.core.settings import settings

PLACEHOLDER_KEY = "YOUR_API_KEY"
SHOWN_KEY = "shown_api_key"
"""Where a session keeps the key that pages show. Only a digest of each key is stored, so it is there from the moment
that the key was made until the session ends, and nowhere else."""

_HOST = re.compile(r"[a-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?", re.IGNORECASE)
_MAX_HOST = 260


def address_of_site(request: HttpRequest) -> str | None:
    """Scheme and host as the visitor's browser has them; None where the Host header holds no name of a host.

    `X-Forwarded-Proto` is believed from trusted proxies only.
    """
    host = request.META.get("HTTP_HOST", "")
    if len(host) > _MAX_HOST or _HOST.fullmatch(host) is None:
        return None
    return f"{_scheme(request)}://{host}"


def _scheme(request: HttpRequest) -> str:
    told = request.META.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
    peer = read_address(request.META.get("REMOTE_ADDR", ""))
    trusted = read_networks(settings().trusted_proxies)
    is_told = told in ("http", "https") and peer is not None and is_within(peer, trusted)
    return told if is_told else str(request.scheme)


def key_to_show(request: HttpRequest) -> str:
    """The API key for the examples: the visitor's own where one is signed in and the session holds it."""
    user, session = getattr(request, "user", None), getattr(request, "session", None)
    if user is None or session is None or not user.is_authenticated:
        return PLACEHOLDER_KEY
    return str(session.get(SHOWN_KEY) or PLACEHOLDER_KEY)
