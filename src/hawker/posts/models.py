"""Tables of the feeds that are looked at. One row per address, however many subscriptions are on it."""

from django.db import models


class Feed(models.Model):
    """One list of posts. `due_at` is when to look next; NULL while nobody subscribes to it.

    A claim moves `due_at` to the end of its lease, so that a killed worker's looks are due again by themselves.
    `digest` and the two validators belong to the last list that was read whole.
    """

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=40)
    url = models.CharField(max_length=2_500)
    host = models.CharField(max_length=255)
    allow_private = models.BooleanField()
    etag = models.CharField(max_length=500, default="", db_default="")
    last_modified = models.CharField(max_length=100, default="", db_default="")
    digest = models.CharField(max_length=64, default="", db_default="")
    due_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, db_default=0)
    problem = models.CharField(max_length=300, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "feed"
        constraints = [models.UniqueConstraint(fields=["source", "url", "allow_private"], name="feed_once")]
        indexes = [models.Index(fields=["due_at"], name="feed_due")]


class FeedMark(models.Model):
    """By what a post is known again: a hash of its id, and one of its link. Whatever has a known mark is not new."""

    pk = models.CompositePrimaryKey("feed_id", "mark")
    feed_id = models.BigIntegerField()
    mark = models.CharField(max_length=32)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "feed_mark"
