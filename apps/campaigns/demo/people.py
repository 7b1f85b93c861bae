"""The people of the demo, page by page: each page with its addresses and choices is one transaction, so whoever is interrupted goes on
with the next."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audience import selectors as audience
from apps.audience.addresses import address_hash, device_token, phone_number
from apps.audience.services import upsert_recipients
from apps.campaigns.demo.places import ALL, NAMES, Place
from apps.channels.sandbox.behaviour import DOMAIN, TOKEN_PREFIX
from apps.core.enums import Channel, DigestFrequency, EndpointKind, Platform, SuppressionReason
from apps.core.types import Address, Author, Change, InlineRecipient, Mute, NewSuppression, Switch, Tenant
from apps.preferences.changing import Wanted, change_choices_of_many
from apps.preferences.services import suppress

PAGE = 5_000
MARKETING = "category:marketing"
# of 1,000 people: what their mail address does in the sandbox (docs/sandbox.md); the brake's limits are far above
_WORDS = (
    ("bounce", 6),
    ("complaint", 1),
    ("optout", 3),
    ("softbounce", 6),
    ("invalid", 2),
    ("clicker", 62),
    ("reader", 270),
)
_CHOICES = "settings_page"


def gather(tenant: Tenant, count: int, now: datetime) -> int:
    """How many are new. Nobody who is there is changed."""
    pages = [range(first, min(first + PAGE, count)) for first in range(0, count, PAGE)]
    known = audience.recipient_ids(tenant.id, {user_id(page[-1]) for page in pages})
    missing = [page for page in pages if user_id(page[-1]) not in known]
    for page in missing:
        with transaction.atomic():
            _gather(tenant, page, now)
    return sum(map(len, missing))


def user_id(n: int) -> str:
    return f"c_{n:05}"


def _gather(tenant: Tenant, page: range, now: datetime) -> None:
    people = {n: person(n, now) for n in page}
    ids = upsert_recipients(tenant=tenant, inline=list(people.values()))
    chosen = {
        ids[user_id(n)]: Wanted(tenant.id, _always(change)) for n in page if (change := choice(n, now)) is not None
    }
    change_choices_of_many(chosen, by=Author(_CHOICES), at=now - timedelta(days=3))
    suppress([_veto(tenant.id, people[n].addresses[0], n) for n in page if n % 149 == 5], at=now - timedelta(days=9))


def person(n: int, now: datetime) -> InlineRecipient:
    """Always the same for the same number and day."""
    random = Random(n)
    home, row = ALL[n % len(ALL)], n // len(ALL)
    locale = home.locales[row % len(home.locales)]
    attributes: dict[str, Any] = {
        "plan": random.choices(("free", "plus", "pro"), (70, 20, 10))[0],
        "city": home.city,
        "signed_up": (now - timedelta(days=int(1_400 * random.random() ** 1.6))).date().isoformat(),
        "rides": int(random.expovariate(1 / 14)),
    }
    if random.random() > 0.08:
        attributes["first_name"] = random.choice(NAMES[locale[:2]])
    return InlineRecipient(
        user_id(n),
        locale,
        home.timezone,
        attributes,
        addresses=tuple(_addresses(n, row, home, random.randrange(1_000))),
    )


def _addresses(n: int, row: int, home: Place, chance: int) -> Iterator[Address]:
    """A mail address each, a number for a fifth, a device for a tenth. What they look like is known: nothing is left to check."""
    word = word_of(chance)
    text = f"{word}+c{n}@{DOMAIN}" if word else f"rider{n}@d{n % 40}.example.com"
    domain = text.partition("@")[2]
    yield Address(EndpointKind.EMAIL, Channel.EMAIL, text, text, f"{text[0]}***@{domain}", is_verified=True)
    if number := home.number(row):
        yield phone_number(number, "")
    if n % 10 == n // 10 % 10:
        yield device_token(f"{TOKEN_PREFIX}{word or 'delivered'}+c{n}", (Platform.ANDROID, Platform.IOS)[n % 2], "")


def word_of(chance: int) -> str:
    """`chance`: 0 to 999. Empty: a plain address, which is delivered and not opened."""
    for word, share in _WORDS:
        if chance < share:
            return word
        chance -= share
    return ""


def choice(n: int, now: datetime) -> Change | None:
    """One in twelve has chosen something."""
    match n % 97:
        case 3 | 31 | 59:
            return Change(switches=(Switch(MARKETING, Channel.EMAIL, False),))
        case 71:
            return Change(switches=(Switch(MARKETING, "*", False),))
        case 17 | 43:
            return Change(switches=(Switch("category:social", "*", True, DigestFrequency.DAILY),))
        case 89:
            return Change(switches=(Switch(MARKETING, Channel.EMAIL, True, DigestFrequency.WEEKLY),))
        case 23:
            return Change(muted=(Mute("*", "*", now + timedelta(days=30)),))
    return None


def _always(change: Change) -> Any:
    return lambda _: change


def _veto(tenant_id: UUID, address: Address, n: int) -> NewSuppression:
    reason = (SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.MANUAL)[n % 3]
    found = address_hash(tenant_id, address.channel, address.hashed)
    return NewSuppression(tenant_id, address.channel, found, address.masked, reason, "seed_campaigns")
