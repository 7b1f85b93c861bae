"""Tenants, their API keys and their guest lists; who of the staff is what in which tenant; who changed what."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from apps.core import ids
from apps.core.enums import Category, KeyMode, Scope
from apps.core.tables import TenantRow, TenantTable
from apps.tenants import brand


class Tenant(models.Model):
    """`weight`: its share of a lane against other tenants'. Rates are requests (a batch: its notifications) a second.
    `tracked_categories`: in whose mails links and opens are tracked; empty: in none. `brand_color`, `logo`: brand.py."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    locale = models.CharField(max_length=35, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    email_from = models.CharField(max_length=320, default="", blank=True, help_text="Name <address@domain>")
    weight = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    rate_per_second = models.PositiveIntegerField(default=2_000, validators=[MinValueValidator(1)])
    rate_burst = models.PositiveIntegerField(default=10_000, validators=[MinValueValidator(1)])
    retention_days = models.PositiveSmallIntegerField(default=90, validators=[MinValueValidator(1)])
    critical_share_most = models.PositiveSmallIntegerField(
        default=20,
        validators=[MaxValueValidator(100)],
        help_text="Percent of an hour's notifications that may be critical before an alert is raised.",
    )
    tracked_categories: "ArrayField[Any, list[str]]" = ArrayField(
        models.CharField(max_length=16, choices=[(c.value, c.value) for c in Category if c != Category.CRITICAL]),
        default=list,
        blank=True,
    )
    brand_color = models.CharField(
        max_length=7,
        default="",
        blank=True,
        validators=[brand.check_color],
        help_text="#rrggbb, of the people's own pages",
    )
    logo = models.TextField(
        default="",
        blank=True,
        validators=[brand.check_logo],
        help_text="A picture as data URL (data:image/png;base64,...), shown 32 pixels high on the people's own pages.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    path_to_tenant: ClassVar[str] = "id"

    def __str__(self) -> str:
        return self.name


class ApiKey(TenantTable):
    """`ntf_<mode>_<prefix>_<secret>`: the prefix finds the row, SHA-256 of the whole token proves it. Two secrets may overlap."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    mode = models.CharField(max_length=4, choices=[(m.value, m.value) for m in KeyMode])
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    secret_hash = models.BinaryField(max_length=32, editable=False)
    previous_hash = models.BinaryField(max_length=32, null=True, editable=False)
    previous_expires_at = models.DateTimeField(null=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=32, choices=[(s.value, s.sentence) for s in Scope]))
    requires_idempotency_key = models.BooleanField(default=False)
    rate_per_second = models.PositiveIntegerField(default=1_000, validators=[MinValueValidator(1)])
    rate_burst = models.PositiveIntegerField(default=5_000, validators=[MinValueValidator(1)])
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        permissions = (("manage_live_keys", "Can make, change and revoke keys that are not test keys"),)

    def __str__(self) -> str:
        return f"{self.name} (ntf_{self.mode}_{self.prefix}_...)"


class Guest(TenantTable):
    """A user_id that team keys may reach."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user_id = models.CharField(max_length=128)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user_id"], name="guest_once")]

    def __str__(self) -> str:
        return self.user_id


class Membership(TenantTable):
    """What somebody of the staff is in a tenant: `role` is a group, and its permissions hold there and nowhere else."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "tenant", "role"], name="membership_once")]
        permissions = (
            ("see_unmasked", "Can see addresses and messages unmasked"),
            ("export_rows", "Can download people, results and lists"),
        )

    def __str__(self) -> str:
        return f"{self.user}, {self.role} of {self.tenant}"


class AuditEntry(TenantRow):
    """Append-only: the database refuses any change. `kind` and `object_id` name the row, `label` is what it was called.

    `difference`: {field: [before, after]}, or {field: "changed"} for what must not be kept. Without tenant: of the installation.
    """

    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=32)
    kind = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=200, blank=True)
    said = models.CharField(max_length=300, blank=True)
    difference = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_of_tenant"),
            models.Index(fields=["kind", "object_id", "-id"], name="audit_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.label}"
