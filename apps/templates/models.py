"""Templates and layouts with immutable published versions."""

from django.db import models

from apps.core import ids
from apps.core.enums import Channel
from apps.core.tables import TenantTable


class Template(TenantTable):
    """What a marketer writes, known by `key`. A layout is a template whose email html has `{{ content }}`; others share it. A partial is
    what others `{% render %}`. `staged`: the version that a share of the people gets, `share` of 10,000 (rollout.py)."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    is_layout = models.BooleanField(default=False)
    is_partial = models.BooleanField(default=False)
    current = models.ForeignKey(
        "TemplateVersion", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    staged = models.ForeignKey(
        "TemplateVersion", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    share = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="template_key_once")]
        permissions = [("publish_template", "Can publish template")]

    def __str__(self) -> str:
        return self.key


class TemplateVersion(TenantTable):
    """A draft until `published_at` is set; immutable from then on. `sample` is the data it was proven with. `layout_version`: of its
    layout, as it was when it was published. What it rendered of partials stands in its variants."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    layout = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    layout_version = models.ForeignKey("self", null=True, editable=False, on_delete=models.PROTECT, related_name="+")
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


class TemplatePart(TenantTable):
    """Which version of a partial a published version has within it."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    part = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "part"], name="template_part_once")]

    def __str__(self) -> str:
        return f"{self.version_id} has {self.part_id}"


class Action(models.TextChoices):
    PUBLISHED = "published"
    ROLLED_BACK = "rolled_back"
    STAGED = "staged"
    RAISED = "raised"
    FINISHED = "finished"
    REVERTED = "reverted"


class TemplateStep(TenantTable):
    """Which version became current, or was given to which `share` (of 10,000) of the people, when, by whose hand and why. Append-only: a
    rollback is a step too."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=11, choices=Action.choices)
    by = models.CharField(max_length=150)
    share = models.PositiveSmallIntegerField(default=10_000)
    because = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"


class Rollout(TenantTable):
    """A version on its way to everybody beside the one before. Counts are of attempts before `counted_to`; what is younger is counted
    anew each time. Open while `ended_at` is None."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    against = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    by = models.CharField(max_length=150)
    counted_to = models.UUIDField(default=ids.new)
    counts = models.JSONField(default=dict)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=11, blank=True)
    because = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template"], condition=models.Q(ended_at=None), name="template_one_rollout")
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.outcome or 'under way'}"


class SeedList(TenantTable):
    """People who get test sends together. `user_ids`: the tenant's own."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    user_ids = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="template_seed_list_once")]

    def __str__(self) -> str:
        return self.name
