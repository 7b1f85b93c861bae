"""What people answer to a message: that they want no more, and that they want it again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.core.enums import Category, Channel, SuppressionReason
from apps.core.types import NewSuppression
from apps.preferences.models import Preference, Suppression
from apps.preferences.services import suppress, switch_off

TOPIC = f"category:{Category.MARKETING}"
# who may have switched it off on their behalf: their own text, or a provider's receipt that speaks of one
ON_THEIR_BEHALF = ("inbound", "receipt")
People = Collection[tuple[UUID, UUID]]


def opt_out(people: People, rows: Sequence[NewSuppression], *, channel: Channel, source: str, at: datetime) -> None:
    """Vetoes their address, and switches marketing off for whatever address comes next. `people`: (tenant, recipient) of those who
    have it. `at`: when they said so. Two statements. Idempotent."""
    suppress(rows, at=at)
    switch_off({(*who, channel) for who in people}, topic=TOPIC, source=source, at=at)


def opt_in(people: People, *, hashes: Mapping[UUID, Sequence[bytes]], channel: Channel, at: datetime) -> int:
    """Takes back opt-outs said before `at`, and nothing else: an address that bounced or was reported stays suppressed, as does one
    that somebody suppressed by hand. `hashes`: of the address, by tenant. How many suppressions were lifted. Idempotent."""
    if not hashes:
        return 0
    named = Q()
    for tenant_id, found in hashes.items():
        named |= Q(tenant_id=tenant_id, address_hash__in=found)
    vetoes = Suppression.objects.all_tenants().filter(named, channel=channel.value, created_at__lte=at)
    lifted, _ = vetoes.filter(reason=SuppressionReason.OPTED_OUT).delete()
    switches = Preference.objects.all_tenants().filter(recipient_id__in=[recipient_id for _, recipient_id in people])
    switches.filter(
        topic=TOPIC, channel=channel.value, is_on=False, source__in=ON_THEIR_BEHALF, updated_at__lte=at
    ).delete()
    return lifted
