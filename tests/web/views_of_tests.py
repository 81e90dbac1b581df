"""Views for tests of the page pool: a server shows them in place of the panel's pages (hawker_with_test_views.py)."""

import threading
from collections.abc import Iterator

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from hawker.accounts.models import User
from hawker.core.errors import Unavailable

handler400 = "hawker.web.errors.bad_request"
handler404 = "hawker.web.errors.not_found"
handler500 = "hawker.web.errors.server_error"

LOCK = 20_261_129
"""The advisory lock that `waits` waits for, and marks by a comment in its statement."""


@require_safe
def waits(request: HttpRequest) -> HttpResponse:
    """Holds its thread and its database connection while somebody has the lock."""
    del request
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_advisory_xact_lock_shared(%s) /* a page */", [LOCK])
        pid = cursor.fetchone()[0]
    return JsonResponse({"pid": pid, "thread": threading.current_thread().name})


@require_http_methods(["POST", "PUT"])
def form(request: HttpRequest) -> HttpResponse:
    """What was posted, in whichever form."""
    files = {name: file.read().decode() for name, file in request.FILES.items()}
    response = JsonResponse({"fields": request.POST.dict(), "files": files})
    response.set_cookie("seen", "yes", httponly=True)
    response.set_cookie("other", "too")
    return response


@require_safe
def streams(request: HttpRequest) -> StreamingHttpResponse:
    """Many rows, or a failure behind the first ones."""
    fails = "fails" in request.GET

    def rows() -> Iterator[bytes]:
        for number in range(100_000):
            if fails and number == 1_000:
                raise RuntimeError("half way")
            yield b"%d,%d\n" % (number, User.objects.count() if number == 0 else 0)

    return StreamingHttpResponse(rows(), content_type="text/csv")


@require_safe
def visitor(request: HttpRequest) -> HttpResponse:
    """Who the visitor is, and where the page thinks that it is."""
    seen = {name: value for name, value in request.META.items() if "FORWARDED" in name or name == "HTTP_X_REAL_IP"}
    address, site = request.META["REMOTE_ADDR"], request.build_absolute_uri("/")
    return JsonResponse({"address": address, "site": site, "headers": seen})


@require_safe
def breaks(request: HttpRequest) -> HttpResponse:
    """Fails as the database does, or as a bug does."""
    raise Unavailable("away") if "database" in request.GET else RuntimeError("words of the inside")


@require_safe
def html(request: HttpRequest) -> HttpResponse:
    """A page that would like a policy of its own."""
    del request
    return HttpResponse("<p>", headers={"Content-Security-Policy": "default-src *", "X-Frame-Options": "SAMEORIGIN"})


VIEWS = (waits, form, streams, visitor, breaks, html)
urlpatterns = [path(f"api/{view.__name__}", view) for view in VIEWS]
