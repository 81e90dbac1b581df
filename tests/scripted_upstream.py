"""An upstream panel that answers what it is told to: for statuses that must be exact to the digit."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from hawker.providers.models import Provider
from panel import Panel


@dataclass
class ScriptedUpstream:
    """Takes every order under the next number, and every cancel; answers `status` with what `say` put down.

    `forms` is every call that came. `refusals` are the error texts that answer the next orders, one each.
    """

    url: str = ""
    key: str = "the scripted upstream's key"
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    accepted: int = 0
    refusals: list[str] = field(default_factory=list)

    def answer(self, form: dict[str, list[str]]) -> object:
        self.forms.append(form)
        if form["action"] == ["add"] and self.refusals:
            return {"error": self.refusals.pop(0)}
        if form["action"] == ["add"]:
            self.accepted += 1
            return {"order": self.accepted}
        asked = form.get("orders", form.get("order", [""]))[0].split(",")
        if form["action"] == ["cancel"]:
            return [{"order": int(number), "cancel": 1} for number in asked]
        found = {number: self.statuses.get(number, {"error": "Incorrect order ID"}) for number in asked}
        return found if "orders" in form else found[asked[0]]

    def register(self, panel: Panel, name: str = "upstream") -> Provider:
        """This upstream as a provider of the panel."""
        return panel.provider(self, name=name)  # type: ignore[arg-type]  # only its url and key are looked at

    def say(self, panel: Panel, order: int, **status: str) -> None:
        """Have this status be that of the panel's order, and the worker find it out."""
        upstream_id = panel.order(order)["upstream_order"]
        self.statuses[str(upstream_id)] = {"charge": "0.01", "currency": "USD"} | status
        panel.clock.advance(hours=1)
        panel.sweep()


@contextmanager
def start_scripted_upstream() -> Iterator[ScriptedUpstream]:
    """The upstream, listening on a free port of this machine."""
    upstream = ScriptedUpstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name is http.server's
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = json.dumps(upstream.answer(parse_qs(body))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - the name is http.server's
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        upstream.url = f"http://127.0.0.1:{server.server_address[1]}/api/v2"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield upstream
        server.shutdown()
        thread.join()
