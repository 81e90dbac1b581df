"""The table of invariant checks that the workers made."""

from django.db import models


class InvariantCheck(models.Model):
    """One check of every invariant. `ended_at` is NULL while it runs, or where its worker was killed."""

    id = models.BigAutoField(primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    breaches = models.IntegerField(null=True)

    class Meta:
        db_table = "invariant_check"
