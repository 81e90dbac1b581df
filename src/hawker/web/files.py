"""Files that are ready as bytes: the style sheet, and the OpenAPI document."""

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags

from hawker.protocol.openapi import build_document

A_YEAR = "public, max-age=31536000, immutable"
"""For what has its own digest in its name."""

ASK_AGAIN = "public, no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """The bytes of a file and what is said with them."""

    body: bytes
    content_type: str
    cache_control: str

    @property
    def digest(self) -> str:
        """Names just these bytes."""
        return sha256(self.body).hexdigest()[:16]

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The file, or a 304 where the visitor has it."""
        tag = f'"{self.digest}"'
        named = [name.removeprefix("W/") for name in parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))]
        response = HttpResponse(status=304) if tag in named or "*" in named else HttpResponse(self.body)
        response["ETag"] = tag
        response["Cache-Control"] = self.cache_control
        if response.status_code == 200:
            response["Content-Type"] = self.content_type
            response["Content-Length"] = str(len(self.body))
        else:
            del response["Content-Type"]
        return response


STYLE = StaticFile(Path(__file__).with_name("style.css").read_bytes(), "text/css; charset=utf-8", A_YEAR)
STYLE_PATH = f"/assets/style-{STYLE.digest}.css"

OPENAPI = StaticFile(
    json.dumps(build_document(version=version("hawker")), ensure_ascii=False, separators=(",", ":")).encode(),
    "application/json",
    ASK_AGAIN,
)
OPENAPI_PATH = "/api/v2/openapi.json"
