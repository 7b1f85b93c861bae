"""What people answer to a message: that they want no more, and that they want it again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.core.enums import Category, Channel, SuppressionReason
from apps.core.types import Author, Change, Choices, NewSuppression, Switch
from apps.preferences.changing import Wanted, change_choices_of_many
from apps.preferences.differences import Difference, Stored
from apps.preferences.models import Suppression
from apps.preferences.services import suppress_new

TOPIC = f"category:{Category.MARKETING}"
# who may have switched it off on their behalf: their own text, or a provider's receipt that speaks of one
ON_THEIR_BEHALF = ("inbound", "receipt")
People = Collection[tuple[UUID, UUID]]


def opt_out(people: People, rows: Sequence[NewSuppression], *, channel: Channel, source: str, at: datetime) -> None:
    """Vetoes their address, and switches marketing off for whatever address comes next. `people`: (tenant, recipient) of those who
    have it. `at`: when they said so. A fixed number of statements. Idempotent."""
    off = Change(switches=(Switch(TOPIC, channel.value, False),))
    with transaction.atomic():
        fresh = set(suppress_new(rows, at=at))
        veto = _suppression(channel, before=None, after={"reason": SuppressionReason.OPTED_OUT.value})
        wanted = {
            recipient_id: Wanted(tenant_id, lambda _: off, (veto,) if tenant_id in fresh else ())
            for tenant_id, recipient_id in people
        }
        change_choices_of_many(wanted, by=Author(source), at=at)


def opt_in(people: People, *, hashes: Mapping[UUID, Sequence[bytes]], channel: Channel, at: datetime) -> int:
    """Takes back opt-outs said before `at`, and nothing else: an address that bounced or was reported stays suppressed, as does one
    that somebody suppressed by hand. `hashes`: of the address, by tenant. How many suppressions were lifted. Idempotent."""
    if not hashes:
        return 0
    named = Q()
    for tenant_id, found in hashes.items():
        named |= Q(tenant_id=tenant_id, address_hash__in=found)
    with transaction.atomic():
        vetoes = Suppression.objects.all_tenants().filter(
            named, channel=channel.value, created_at__lte=at, reason=SuppressionReason.OPTED_OUT
        )
        lifted = set(vetoes.select_for_update().values_list("id", "tenant_id"))
        Suppression.objects.all_tenants().filter(id__in=[id_ for id_, _ in lifted]).delete()
        freed = {tenant_id for _, tenant_id in lifted}
        back = _suppression(channel, before={"reason": SuppressionReason.OPTED_OUT.value}, after=None)
        wanted = {
            recipient_id: Wanted(tenant_id, partial(_on_again, channel, at), (back,) if tenant_id in freed else ())
            for tenant_id, recipient_id in people
        }
        change_choices_of_many(wanted, by=Author("inbound"), at=at)
    return len(lifted)


def _on_again(channel: Channel, at: datetime, chosen: Choices) -> Change:
    cleared = frozenset(
        (switch.topic, switch.channel)
        for switch in chosen.switches
        if (switch.topic, switch.channel) == (TOPIC, channel.value)
        and not switch.is_on
        and switch.source in ON_THEIR_BEHALF
        and (switch.since is None or switch.since <= at)
    )
    return Change(cleared=cleared)


def _suppression(channel: Channel, *, before: Stored, after: Stored) -> Difference:
    return Difference("suppression", before, after, channel=channel.value)
