"""What a page knows of its visitor."""

from django.http import HttpRequest

PLACEHOLDER_KEY = "YOUR_API_KEY"
SHOWN_KEY = "shown_api_key"
"""Where a session keeps the key that pages show. Only a digest of each key is stored, so it is there from the moment
that the key was made until the session ends, and nowhere else."""


def address_of_site(request: HttpRequest) -> str:
    """Scheme and host of the site as the visitor's browser has them. Raises DisallowedHost: answered with 400."""
    return f"{request.scheme}://{request.get_host()}"


def key_to_show(request: HttpRequest) -> str:
    """The API key for the examples: the visitor's own where one is signed in and the session holds it."""
    user, session = getattr(request, "user", None), getattr(request, "session", None)
    if user is None or session is None or not user.is_authenticated:
        return PLACEHOLDER_KEY
    return str(session.get(SHOWN_KEY) or PLACEHOLDER_KEY)
