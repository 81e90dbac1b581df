"""The tables of what was done to keep a panel safe, and of what its processes have counted."""

from django.db import models


class InvariantCheck(models.Model):
    """One check of every invariant. `ended_at` is NULL while it runs, or where its worker was killed."""

    id = models.BigAutoField(primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    breaches = models.IntegerField(null=True)

    class Meta:
        db_table = "invariant_check"


class Backup(models.Model):
    """One backup that was finished: the moment before which all is in it, and its size. Kept by `hawker backup`."""

    id = models.BigAutoField(primary_key=True)
    taken_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    size_bytes = models.BigIntegerField()

    class Meta:
        db_table = "backup"


class Tally(models.Model):
    """How often something happened in all processes together: the parts of its key (core/counters.py), tabs between.

    A few hundred narrow rows, each process adds to its own handful every few seconds.
    """

    key = models.TextField(primary_key=True, db_collation="C")
    times = models.BigIntegerField()

    class Meta:
        db_table = "tally"
