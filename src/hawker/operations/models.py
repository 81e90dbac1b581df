"""Tables of operations: what was done under an operation id, and jobs on many subjects."""

from django.db import models
from django.db.models import Q


class OperationRun(models.Model):
    """An operation that was done under an id of its caller's: a second call with the id answers `result`.

    `input_digest` is of the name and the input. `result` is JSON, encrypted where it holds a secret.
    """

    operation_id = models.CharField(max_length=128, primary_key=True)
    operation = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.BigIntegerField(null=True)
    input_digest = models.BinaryField()
    result = models.BinaryField(default=b"")
    is_encrypted = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        db_table = "operation_run"
        indexes = [models.Index(fields=["at"], name="operation_run_at")]


class JobState(models.TextChoices):
    WAITING = "waiting"  # its subjects are known; no worker has begun
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"  # a person stopped it; what was done stays done


class Job(models.Model):
    """One operation on many subjects. `total`, `done` and `refused` count its subjects.

    A dry run does each operation and takes it back.
    """

    id = models.BigAutoField(primary_key=True)
    operation = models.CharField(max_length=60)
    input = models.JSONField()
    selection = models.JSONField()
    is_dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.WAITING)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=254)
    actor_address = models.CharField(max_length=45)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "job"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state"),
            models.CheckConstraint(
                condition=Q(done__gte=0) & Q(refused__gte=0) & Q(total__gte=models.F("done") + models.F("refused")),
                name="job_counts",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["finished", "stopped"], finished_at__isnull=False)
                | Q(state__in=["waiting", "running"], finished_at__isnull=True),
                name="job_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="job_open"),
        ]


class ItemState(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


class JobItem(models.Model):
    """One subject of a job, and what became of it.

    `answer` is the operation's result, or why it was refused. `moved` holds the micros that were moved, or would have
    been in a dry run, by kind of transfer.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, db_index=False)
    position = models.IntegerField()
    subject_id = models.CharField(max_length=254)
    state = models.CharField(max_length=12, choices=ItemState.choices, default=ItemState.WAITING)
    answer = models.TextField(default="")
    moved = models.JSONField(default=dict)
    pk = models.CompositePrimaryKey("job_id", "position")

    class Meta:
        db_table = "job_item"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ItemState.values), name="job_item_state"),
            models.UniqueConstraint(fields=["job", "subject_id"], name="job_item_once"),
        ]
        indexes = [
            models.Index(fields=["job", "position"], condition=Q(state="waiting"), name="job_item_waiting"),
        ]
