"""Tables of people and keys."""

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower


class Users(BaseUserManager["User"]):
    """Finds users by their e-mail address, which is kept in lower case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A person who signs in: a customer, or a member of the operator's staff."""

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField(max_length=254, unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects: ClassVar[Users] = Users()
    USERNAME_FIELD = "email"

    class Meta:
        db_table = "app_user"
        constraints = [models.CheckConstraint(condition=models.Q(email=Lower("email")), name="app_user_email_lower")]


class KeyScope(models.TextChoices):
    """What a key may ask."""

    READ = "read"  # services, status, balance, refill_status, orders
    ORDER = "order"  # everything


class ApiKeys(models.QuerySet["ApiKey"]):
    """Finds keys by whether they still work."""

    def live(self, now: datetime) -> "ApiKeys":
        """Those that have neither been revoked nor expired."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now), revoked_at=None)


class ApiKey(models.Model):
    """One key of a customer. The key itself is shown once and never stored: only its HMAC is."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="api_keys")
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=8)
    label = models.CharField(max_length=80, default="")
    scope = models.CharField(max_length=8, choices=KeyScope, default=KeyScope.ORDER)
    allowed_addresses = ArrayField(models.CharField(max_length=43), default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    replaced_by = models.OneToOneField("self", models.PROTECT, null=True, related_name="replaces")
    """The key that rotation put in its place; this one expires at the end of the overlap."""
    last_used_at = models.DateTimeField(null=True)
    """To the minute or so: no request writes it."""
    last_address = models.CharField(max_length=45, null=True)

    objects = ApiKeys.as_manager()

    class Meta:
        db_table = "api_key"
        constraints = [models.CheckConstraint(condition=models.Q(scope__in=KeyScope.values), name="api_key_scope")]

    def is_live(self, now: datetime) -> bool:
        """Whether it has neither been revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class AccessVersion(models.Model):
    """One row, bumped by trigger whenever a key or a person's standing changes.

    Front doors keep verified keys in memory and ask for this number a few times a second: a revoked
    key is refused within a second in every process, and no request pays for the look-up.
    """

    id = models.SmallIntegerField(primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        db_table = "access_version"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="access_version_one_row")]


class SecretName(models.TextChoices):
    """The secrets that data was written under."""

    SECRET_KEY = "secret_key"  # noqa: S105 - a name; the pepper of API keys
    ENCRYPTION_KEY = "encryption_key"  # providers' keys are encrypted under it


class SecretCheck(models.Model):
    """By what a secret is recognised as the one that this database was written under. Tells nothing of the secret."""

    name = models.CharField(max_length=20, choices=SecretName, primary_key=True)
    value = models.BinaryField(max_length=16)
    since = models.DateTimeField()

    class Meta:
        db_table = "secret_check"
        constraints = [models.CheckConstraint(condition=models.Q(name__in=SecretName.values), name="secret_check_name")]
