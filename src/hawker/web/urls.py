"""Which path is which view. PUBLIC lists them for the web process, which passes on no other."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from hawker.web.api_page import api_page
from hawker.web.files import OPENAPI, OPENAPI_PATH, STYLE, STYLE_PATH


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document; pages of other sites may read it too: it holds nobody's data."""
    response = OPENAPI.answer(request)
    response["Access-Control-Allow-Origin"] = "*"
    return response


VIEWS = {"/api": api_page, "/api/": api_page, OPENAPI_PATH: openapi, STYLE_PATH: STYLE.answer}
PUBLIC = frozenset(VIEWS)

urlpatterns = [path(address.removeprefix("/"), view) for address, view in VIEWS.items()]
