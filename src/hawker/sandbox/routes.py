"""Which door a request comes to, and the answer of the house where the journal cannot be written."""

from hawker.protocol.replies import plain_error_reply
from hawker.sandbox.control import answer_control
from hawker.sandbox.door import answer_call
from hawker.sandbox.exchange import SandboxExchange
from hawker.sandbox.feed import PATH, answer_feed
from hawker.sandbox.replies import SandboxReply
from hawker.sandbox.sandbox import Sandbox

_API = ("/api/v2", "/api/v2/")
_NOT_FOUND = SandboxReply(b'{"error":"Incorrect request"}', 404)
_HEALTHY = SandboxReply(b'{"ok":true}')
_UNAVAILABLE = SandboxReply(plain_error_reply("unavailable"), 503)


def route(sandbox: Sandbox, exchange: SandboxExchange) -> SandboxReply:
    """The reply to one HTTP request. What it changed is in the journal before the reply is returned."""
    if exchange.path in _API:
        reply = answer_call(sandbox, exchange)
    elif exchange.path.startswith(PATH) and exchange.method == "GET":
        reply = answer_feed(sandbox, exchange)
    elif exchange.path.startswith("/sandbox/"):
        reply = answer_control(sandbox, exchange)
    else:
        return _HEALTHY if exchange.path == "/healthz" else _NOT_FOUND
    try:
        sandbox.journal.flush()
    except OSError:
        # A full disk. What was done stays done and pending: to the client the outcome is unknown, as it
        # is with any panel whose disk is full.
        return _UNAVAILABLE
    return reply
