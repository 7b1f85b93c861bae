"""Endpoints off and on. What was still to be told when one goes off is told no more, unless it is replayed."""

from uuid import UUID

from apps.channels.alerts import end_alert, raise_alert
from apps.core import clock, ids
from apps.webhooks.models import WebhookCall, WebhookEndpoint

ALERT = "webhook_off"


def switch_off(endpoint_id: UUID, reason: str, *, is_alert: bool = True) -> bool:
    """In the caller's transaction; whether it was on. `is_alert`: nobody wanted it, so an operator is told."""
    rows = WebhookEndpoint.objects.all_tenants().filter(id=endpoint_id, is_on=True)
    found = rows.values_list("tenant_id", "url").first()
    is_changed = bool(rows.update(is_on=False, off_reason=reason[:300], updated_at=clock.now()))
    if found and is_changed:
        WebhookCall.objects.all_tenants().filter(endpoint_id=endpoint_id).delete()
        if is_alert:
            tenant_id, url = found
            shown = ids.show(ids.WEBHOOK_ENDPOINT, endpoint_id)
            text = f"The webhook endpoint {shown} at {url.split('/')[2]} is off. {reason}"
            raise_alert(kind=ALERT, subject=shown, text=text, tenant_id=tenant_id)
    return is_changed


def switch_on(endpoint_id: UUID) -> bool:
    """It begins anew, with what happens from now on."""
    rows = WebhookEndpoint.objects.all_tenants().filter(id=endpoint_id, is_on=False)
    anew = {"is_on": True, "off_reason": "", "failing_since": None, "is_proven": False, "updated_at": clock.now()}
    is_changed = bool(rows.update(**anew))
    if is_changed:
        end_alert(kind=ALERT, subject=ids.show(ids.WEBHOOK_ENDPOINT, endpoint_id))
    return is_changed


def forget_alert(endpoint_id: UUID) -> None:
    end_alert(kind=ALERT, subject=ids.show(ids.WEBHOOK_ENDPOINT, endpoint_id))
