"""Event types: defined and removed."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from apps.core.enums import Category, Channel, DedupBy, ResendInDoubt
from apps.core.types import Critical, Grouping, Tenant
from apps.events import models
from apps.events.critical import governed
from apps.events.selectors import event_type, forget_cached


def put_event_type(
    *,
    tenant: Tenant,
    key: str,
    name: str,
    category: Category,
    template_key: str = "",
    channels: Sequence[Channel] = (),
    fallback: Sequence[Channel] = (),
    dedup_window: timedelta = timedelta(0),
    sensitive_keys: Sequence[str] = (),
    owner: str = "",
    fallback_after: timedelta = timedelta(0),
    resend_in_doubt: ResendInDoubt = ResendInDoubt.DEFAULT,
    dedup_by: DedupBy = DedupBy.CONTENT,
    waits_for: Sequence[str] = (),
    waits: timedelta = timedelta(0),
    critical: Critical | None = None,
    grouping: Grouping | None = None,
    overflows: bool = False,
    digest_template_key: str = "",
) -> bool:
    """Creates it, or replaces every field. True when it is new. Other processes may use the old one for 1 s more. `critical`: with the
    category critical; without an approval in it, it works as transactional until somebody else approves it (critical.py)."""
    rows = models.EventType.objects.of(tenant)
    with transaction.atomic():
        known = rows.select_for_update().filter(key=key).first()
        _, is_new = rows.update_or_create(
            tenant_id=tenant.id,
            key=key,
            defaults={
                **governed(known, category, owner, critical),
                "name": name,
                "category": category.value,
                "template_key": template_key,
                "channels": [channel.value for channel in channels],
                "fallback": [channel.value for channel in fallback],
                "dedup_window_seconds": int(dedup_window.total_seconds()),
                "sensitive_keys": list(sensitive_keys),
                "owner": owner,
                "fallback_after_seconds": int(fallback_after.total_seconds()),
                "resend_in_doubt": resend_in_doubt.value,
                "dedup_by": dedup_by.value,
                "waits_for": list(waits_for),
                "waits_seconds": int(waits.total_seconds()),
                "overflows": overflows,
                "digest_template_key": digest_template_key,
                **_columns(grouping),
            },
        )
    forget_cached()
    return is_new


def _columns(grouping: Grouping | None) -> dict[str, object]:
    if grouping is None:
        return {
            "group_by": "",
            "group_window_seconds": 0,
            "group_most": 100,
            "group_leads": False,
            "group_low_only": False,
        }
    return {
        "group_by": grouping.by.value,
        "group_window_seconds": int(grouping.window.total_seconds()),
        "group_most": grouping.most,
        "group_leads": grouping.leads,
        "group_low_only": grouping.low_only,
    }


def delete_event_type(*, tenant: Tenant, key: str) -> bool:
    """False when unknown. Notifications already accepted keep their category."""
    if event_type(tenant.id, key) is None:
        return False
    deleted = models.EventType.objects.of(tenant).filter(key=key).delete()[0]
    forget_cached()
    return bool(deleted)
