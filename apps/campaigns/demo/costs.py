"""What the demo pays for messages, and its rules for campaigns. Micros: millionths of a euro."""

from datetime import UTC, datetime

from apps.campaigns.models import Policy
from apps.channels.prices import set_price_once
from apps.core.enums import Channel
from apps.core.types import Tenant

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
# a part of an SMS by country: networks of one country ask different prices
_SMS = {
    "": (60_000, 140_000),
    "+1": (7_500, 11_000),
    "+33": (58_000, 65_000),
    "+44": (38_000, 47_000),
    "+49": (72_000, 86_000),
}
_MAIL = (90, 110)
_PUSH = (0, 0)


def set_prices(tenant: Tenant) -> int:
    """How many are new; those that somebody set stay."""
    rows = [
        (Channel.EMAIL, "", _MAIL),
        (Channel.PUSH, "", _PUSH),
        *((Channel.SMS, place, price) for place, price in _SMS.items()),
    ]
    return sum(
        set_price_once(
            tenant_id=tenant.id, channel=channel, place=place, low=low, high=high, currency="EUR", valid_from=_SINCE
        )
        for channel, place, (low, high) in rows
    )


def set_rules(tenant: Tenant) -> bool:
    """Above 1,000 people or 100 euros Paul has to agree; texts for more than 250 euros a day are not sent. False: there are rules."""
    _, is_new = Policy.objects.of(tenant).get_or_create(
        tenant_id=tenant.id,
        defaults={"day_budgets": {Channel.SMS.value: 250_000_000}},
    )
    return bool(is_new)
