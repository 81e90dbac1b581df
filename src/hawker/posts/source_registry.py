"""The post sources by name, and where other packages register theirs.

Another package offers one under the entry point group `hawker.post_sources`: the entry point's name is what
`hawker service set --post-source` takes, its value an object (or a class without arguments) with the methods of
`PostSource`.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from hawker.posts.feed import FeedSource
from hawker.posts.source import PostSource

GROUP = "hawker.post_sources"

FindSource = Callable[[str], PostSource | None]


@cache
def find_source(name: str) -> PostSource | None:
    """The source called `name`: the built-in `feed`, or one that an installed package registers."""
    if name == "feed":
        return FeedSource()
    for entry in entry_points(group=GROUP, name=name):
        loaded = entry.load()
        source = loaded() if isinstance(loaded, type) else loaded
        return source if isinstance(source, PostSource) else None
    return None
