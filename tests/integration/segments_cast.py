"""Acme's people, many and mixed: everything that rules and preferences can ask about, by lot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from apps.audience.addresses import email_address, phone_number
from apps.audience.models import Endpoint, Recipient
from apps.audience.services import upsert_recipients
from apps.core.enums import Channel
from apps.core.types import InlineRecipient, Tenant
from apps.preferences.models import Mute, Preference, Suppression

EVENT = "shop.sale.spring"
TOPICS = (EVENT, "shop.sale.*", "shop.*", "other.*", "category:marketing", "category:social", "*")
WORDS = (*(channel.value for channel in Channel), "*")
LOCALES = ("", "de", "de-CH", "en", "den", "fr-CH")
ZONES = ("", "Europe/Zurich", "Europe/Berlin", "UTC", "America/New_York")
PLANS: tuple[Any, ...] = ("free", "pro", 7, True, None, "2026-11-20", "2026-01-05T10:00:00Z", "12 Monkeys")


@dataclass(frozen=True)
class Made:
    """`ids`: by user_id."""

    tenant: Tenant
    ids: dict[str, UUID]


def crowd(tenant: Tenant, number: int, now: datetime, lot: Random) -> Made:
    inline = [_person(place, lot) for place in range(number)]
    ids = dict(upsert_recipients(tenant=tenant, inline=inline))
    rows = list(Recipient.objects.of(tenant))
    for row in rows:
        row.created_at = now - timedelta(days=lot.randrange(60), minutes=1)
        row.blocked_at = now if lot.random() < 0.1 else None
    Recipient.objects.bulk_update(rows, ["created_at", "blocked_at"])
    endpoints = list(Endpoint.objects.of(tenant))
    for endpoint in endpoints:
        endpoint.verified_at = None if lot.random() < 0.2 else now
        endpoint.retired_at = now if lot.random() < 0.2 else None
    Endpoint.objects.bulk_update(endpoints, ["verified_at", "retired_at"])
    vetoed = {(e.channel, bytes(e.address_hash)) for e in endpoints if lot.random() < 0.2}
    Suppression.objects.bulk_create(
        Suppression(tenant_id=tenant.id, channel=channel, address_hash=hashed, reason="hard_bounce")
        for channel, hashed in sorted(vetoed)
    )
    return Made(tenant, ids)


def choose(made: Made, now: datetime, lot: Random) -> None:
    """Switches and mutes of about half of them."""
    chosen = [id_ for id_ in made.ids.values() if lot.random() < 0.6]
    Preference.objects.bulk_create(
        Preference(tenant_id=made.tenant.id, recipient_id=id_, topic=topic, channel=word, is_on=lot.random() < 0.5)
        for id_ in chosen
        for topic, word in _some(lot, 5)
    )
    Mute.objects.bulk_create(
        Mute(
            tenant_id=made.tenant.id,
            recipient_id=id_,
            topic=topic,
            channel=word,
            until=now + timedelta(hours=lot.choice([-1, 1])),
            source="test",
        )
        for id_ in chosen[::3]
        for topic, word in _some(lot, 2)
    )
    Recipient.objects.of(made.tenant).update(preferences_version=1)


def _some(lot: Random, most: int) -> Sequence[tuple[str, str]]:
    return sorted({(lot.choice(TOPICS), lot.choice(WORDS)) for _ in range(lot.randrange(1, most + 1))})


def _person(place: int, lot: Random) -> InlineRecipient:
    attributes: dict[str, Any] = {}
    if lot.random() < 0.8:
        attributes["plan"] = lot.choice(PLANS)
    if lot.random() < 0.7:
        attributes["age"] = lot.choice([0, 5, 17.5, 18, 40, "18"])
    if lot.random() < 0.5:
        attributes["tags"] = lot.sample(["a", "b", "c", "free"], 2)
    if lot.random() < 0.5:
        attributes["home"] = {"city": lot.choice(["Bern", "Basel", "Be%rn_"])}
    addresses = [email_address(f"p{place}-{n}@acme.example", "") for n in range(lot.randrange(3))]
    if lot.random() < 0.5:
        addresses.append(phone_number(f"+4179{place:07d}", ""))
    return InlineRecipient(
        user_id=f"u_{place}",
        locale=lot.choice(LOCALES),
        timezone=lot.choice(ZONES),
        attributes=attributes,
        addresses=tuple(addresses),
    )
