"""The composer's tabs: what each asks for, and how far it is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.audience.segments import stored
from apps.campaigns.budgeting import policy_of
from apps.campaigns.definitions import MOST_VARIANTS
from apps.campaigns.forms import AudienceForm, ContentForm, PartForm
from apps.campaigns.forms_delivery import DeliveryForm, TestForm
from apps.campaigns.forms_limits import LimitsForm
from apps.core.types import Tenant


@dataclass(frozen=True, slots=True)
class Tab:
    """`make`: its form, from (data or None, row, tenant, variants)."""

    name: str
    title: str
    make: Callable[..., PartForm]

    @property
    def template(self) -> str:
        return f"admin/campaigns/compose_{self.name}.html"

    @property
    def more(self) -> str:
        """What stands below the form."""
        return f"admin/campaigns/compose_{self.name}_more.html"


def _audience(data: Any, row: Any, tenant: Tenant, variants: Sequence[Any]) -> PartForm:
    found = stored.live(tenant.id)
    groups = [(f"{'list' if one.is_list else 'segment'}:{one.key}", _label(one)) for one in found]
    return AudienceForm(data, row=row, groups=groups, names={one.key: one.name for one in found})


def _label(one: Any) -> str:
    kind = "list" if one.is_list else "segment"
    return f"{one.name} ({kind}{f', {one.count:,} people' if one.count is not None else ''})"


def _content(data: Any, row: Any, tenant: Tenant, variants: Sequence[Any]) -> PartForm:
    return ContentForm(data, row=row, variants=variants, most=MOST_VARIANTS)


def _test(data: Any, row: Any, tenant: Tenant, variants: Sequence[Any]) -> PartForm:
    return TestForm(data, row=row, variants=variants)


def _delivery(data: Any, row: Any, tenant: Tenant, variants: Sequence[Any]) -> PartForm:
    return DeliveryForm(data, row=row, default_zone=tenant.timezone)


def _review(data: Any, row: Any, tenant: Tenant, variants: Sequence[Any]) -> PartForm:
    policy = policy_of(tenant.id)
    return LimitsForm(data, row=row, currency=policy.currency, policy_brake=policy.brake)


TABS = (
    Tab("audience", "Audience", _audience),
    Tab("content", "Content", _content),
    Tab("test", "Test and A/B", _test),
    Tab("delivery", "Schedule and delivery", _delivery),
    Tab("review", "Review and launch", _review),
)
BY_NAME = {tab.name: tab for tab in TABS}
_WORST = ("error", "warning")


def states(findings: Iterable[Any]) -> dict[str, str]:
    """By tab: error, warning or done. The review is as far as the worst of them."""
    found = dict.fromkeys(BY_NAME, "done")
    for one in findings:
        if one.tab in found and one.severity in _WORST and found[one.tab] != "error":
            found[one.tab] = str(one.severity)
    found["review"] = next((word for word in _WORST if word in found.values()), "done")
    return found
