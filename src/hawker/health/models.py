"""The tables of what was done to keep a panel safe: checks of its invariants, and backups."""

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
