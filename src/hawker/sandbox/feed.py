"""A feed to subscribe to: GET /sandbox/feed/NAME is RSS, whose user NAME posts twice a day of the sandbox's own time.

Three posts exist from the start; the newest fifteen are listed. Posts carry no dates: the sandbox's time may run
hundreds of times as fast as the clock, and a date of its own would lie years ahead.
"""

from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from hawker.sandbox.exchange import SandboxExchange
from hawker.sandbox.replies import RSS, SandboxReply
from hawker.sandbox.sandbox import Sandbox
from hawker.sandbox.timeline import HOUR

PATH = "/sandbox/feed/"
POST_GAP = 12 * HOUR

_FIRST_POSTS = 3
_LISTED = 15


def answer_feed(sandbox: Sandbox, exchange: SandboxExchange) -> SandboxReply:
    """The feed of the user named in the path; 304 where nothing was posted since the answer whose ETag is sent."""
    name = unquote(exchange.path.removeprefix(PATH))
    newest = _FIRST_POSTS + sandbox.catch_up().tick // POST_GAP
    etag = b'"%d"' % newest
    if exchange.if_none_match.encode("latin-1") == etag:
        return SandboxReply(b"", 304, RSS, etag=etag)
    items = "".join(_item(name, number) for number in range(newest, max(newest - _LISTED, 0), -1))
    document = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{escape(name)}</title><link>https://posts.example/{escape(quote(name))}</link>"
        f"<description>What {escape(name)} posts</description>{items}</channel></rss>\n"
    )
    return SandboxReply(document.encode(), content_type=RSS, etag=etag)


def _item(name: str, number: int) -> str:
    link = escape(f"https://posts.example/{quote(name, safe='')}/{number}")
    return f"<item><title>Post {number}</title><link>{link}</link><guid>{link}</guid></item>"
