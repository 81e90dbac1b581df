"""The table of the audit log."""

from django.db import models
from django.db.models import Q


class AuditEvent(models.Model):
    """One change that a person (or a program of ours in a person's place) made. Append-only.

    `before` and `after` hold the fields that differ, as the subject is described elsewhere; never a key or a secret.
    A change of a balance names its transfer by kind and reference, and the database wants to see it in the transfer's
    own transaction (ledger/migrations/check_audited.sql): `transaction_id` is the number of that transaction.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=12)
    address = models.CharField(max_length=45)
    action = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=254)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500, default="")
    transfer_kind = models.CharField(max_length=12, null=True)
    transfer_reference = models.BigIntegerField(null=True)
    transaction_id = models.BigIntegerField()
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=254)

    class Meta:
        db_table = "audit_event"
        constraints = [
            models.CheckConstraint(
                condition=~Q(actor_name="") & ~Q(actor_kind="") & ~Q(address="") & ~Q(action="") & ~Q(subject_kind=""),
                name="audit_event_explained",
            ),
            models.UniqueConstraint(
                fields=["transfer_kind", "transfer_reference"],
                condition=Q(transfer_kind__isnull=False),
                name="audit_event_transfer_once",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="audit_event_subject"),
            models.Index(fields=["actor_kind", "actor_name", "-id"], name="audit_event_actor"),
        ]
