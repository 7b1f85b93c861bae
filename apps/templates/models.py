"""Templates and layouts with immutable published versions."""

from django.db import models

from apps.core.enums import Channel
from apps.core.tables import TenantTable


class Template(TenantTable):
    """What a marketer writes, known by `key`. A layout is a template whose email html has `{{ content }}`; others share it."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    is_layout = models.BooleanField(default=False)
    current = models.ForeignKey(
        "TemplateVersion", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="template_key_once")]

    def __str__(self) -> str:
        return self.key


class TemplateVersion(TenantTable):
    """A draft until `published_at` is set; immutable from then on. `sample` is the data it was proven with."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    layout = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    sample = models.JSONField(default=dict, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_number_once"),
            models.UniqueConstraint(
                fields=["template"], condition=models.Q(published_at=None), name="template_one_draft"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template_id} v{self.number}"


class TemplateVariant(TenantTable):
    """The content of one channel in one locale (`""` is the default). `source`: {field: Liquid}; `compiled`: what is rendered."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8, choices=[(c.value, c.value) for c in Channel])
    locale = models.CharField(max_length=35, blank=True)
    source = models.JSONField()
    compiled = models.JSONField(default=dict, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "channel", "locale"], name="template_variant_once")]

    def __str__(self) -> str:
        return f"{self.channel} {self.locale or 'default'}"


class TemplateStep(TenantTable):
    """Which version became current when, by whose hand. Append-only: a rollback is a step too."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=11, choices=[("published", "published"), ("rolled_back", "rolled_back")])
    by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"
