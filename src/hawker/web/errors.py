"""What pages answer when something is refused or fails: one sentence, and nothing of the inside."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse

from hawker.core.errors import Unavailable

RETRY_SECONDS = 5


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the Host is not one of `allowed_hosts`, or the request cannot be read."""
    del request
    is_host = isinstance(exception, DisallowedHost)
    text = "This server has no site of that name." if is_host else "The request cannot be read."
    return HttpResponse(text, status=400, content_type="text/plain")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the visitor may not see this."""
    del request, exception
    return JsonResponse({"error": "Forbidden"}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is no such page."""
    del request, exception
    return HttpResponse(b'{"error":"Not found"}', status=404, content_type="application/json")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: an error of ours, which the log has."""
    del request
    return JsonResponse({"error": "Something failed. The operator finds it in the log."}, status=500)


class DatabaseOutageMiddleware:
    """Answers 503 with Retry-After where a view cannot reach the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer for outages; None for every other exception, which is an error of ours."""
        del request
        if not isinstance(exception, Unavailable | OperationalError | InterfaceError):
            return None
        response = JsonResponse({"error": "Service temporarily unavailable, please try again later"}, status=503)
        response["Retry-After"] = str(RETRY_SECONDS)
        return response
