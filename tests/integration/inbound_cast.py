"""Texts of people to our numbers, posted to the door as Twilio does; and what they leave."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.test import Client

from apps.audience.addresses import address_hash
from apps.channels import services as accounts
from apps.core import ids
from apps.core.enums import Channel, SuppressionReason
from apps.core.types import Account, NewSuppression, ProviderCall
from apps.preferences import services as preferences
from apps.preferences.models import Preference, Suppression
from apps.receipts.models import ReceiptCall
from tests.integration.dispatch_cast import tenant
from tests.integration.receipts_cast import apply
from tests.simulators.twilio import SID, TOKEN, inbound

PHONE = "+12025550001"


def twilio(owner: UUID | None = None, key: str = "twilio-one", provider: str = "twilio") -> Account:
    return accounts.create_account(
        key=key,
        provider=provider,
        channel=Channel.SMS,
        tenant_id=owner,
        sender="+15005550006",
        credentials={"account_sid": SID, "auth_token": TOKEN},
    )


def text(body: str, *, sender: str = PHONE, sid: str = "", key: str = "twilio-one", **more: str) -> Any:
    """Posted to the door as Twilio does, then applied."""
    path = f"/v1/receipts/{key}"
    call = inbound(settings.PUBLIC_URL + path, sender, body, sid=sid or f"SM{ids.new().hex}", **more)
    response = posted(path, call)
    apply()
    return response


def posted(path: str, call: ProviderCall) -> Any:
    return Client().post(path, data=call.body, content_type=call.headers["content-type"], headers=dict(call.headers))


def vetoes() -> list[tuple[str, str, str]]:
    """(tenant, reason, source) of every suppression."""
    rows = Suppression.objects.all_tenants().order_by("tenant__slug")
    return list(rows.values_list("tenant__slug", "reason", "source"))


def switches() -> list[tuple[str, str, str, bool, str]]:
    rows = Preference.objects.all_tenants().order_by("recipient__user_id", "topic", "channel")
    return list(rows.values_list("recipient__user_id", "topic", "channel", "is_on", "source"))


def heard() -> list[str]:
    assert not ReceiptCall.objects.filter(applied_at=None).exists()
    return list(ReceiptCall.objects.order_by("id").values_list("heard", flat=True))


def veto(reason: SuppressionReason, source: str = "api", slug: str = "acme") -> None:
    owner = tenant(slug)
    hashed = address_hash(owner, Channel.SMS, PHONE)
    preferences.suppress([NewSuppression(owner, Channel.SMS, hashed, "+1*****01", reason, source)])
