"""Which path is which view, and below which paths pages are."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from hawker.web.api_page import api_page
from hawker.web.files import OPENAPI, OPENAPI_PATH, STYLE, STYLE_PATH

PAGE_PREFIXES = ("/api", "/assets")
"""The web process passes these paths and all below them to the views here; API v2's own path never comes here."""

handler400 = "hawker.web.errors.bad_request"
handler403 = "hawker.web.errors.permission_denied"
handler404 = "hawker.web.errors.not_found"
handler500 = "hawker.web.errors.server_error"


def is_page(address: str) -> bool:
    """Whether this path is one of PAGE_PREFIXES or below one."""
    return any(address == prefix or address.startswith(f"{prefix}/") for prefix in PAGE_PREFIXES)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document; pages of other sites may read it too: it holds nobody's data."""
    response = OPENAPI.answer(request)
    response["Access-Control-Allow-Origin"] = "*"
    return response


VIEWS = {
    "/api": require_safe(api_page),
    "/api/": require_safe(api_page),
    OPENAPI_PATH: openapi,
    STYLE_PATH: require_safe(STYLE.answer),
}

urlpatterns = [path(address.removeprefix("/"), view) for address, view in VIEWS.items()]
