"""What is explained is what then happens: many people, each with choices of their own, in one batch through routing and sending."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.audience.models import Endpoint, Recipient
from apps.core import clock
from apps.core.enums import Category, Channel, DedupBy, DigestFrequency, KeyMode, SuppressionReason, WorkKind
from apps.core.types import Author, Change, Critical, Mute, NewSuppression, OwnQuietHours, QuietHours, Switch
from apps.dispatch.explaining import OnChannel, Question, explain_channels
from apps.dispatch.route_batch import route_batch
from apps.events import selectors as events
from apps.events.models import EventType
from apps.events.services import put_event_type
from apps.ledger.models import Delivery
from apps.preferences import choosing
from apps.preferences.changing import Wanted, change_choices_of_many
from apps.preferences.models import DefaultPreference, FrequencyCap
from apps.preferences.services import suppress
from apps.routing.decisions import Bundle, Hold, Send, Skip
from apps.templates.services import Source
from apps.tenants import selectors as tenants
from tests.integration.dispatch_cast import _endpoint, carrier, claimed, notify, rung, send, tenant
from tests.integration.templates_cast import email, publish, sms

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "carrier")]
PEOPLE = 60
TYPES: dict[str, dict[str, Any]] = {
    "plain": {"category": Category.SOCIAL},
    "offer": {"category": Category.MARKETING},
    "code": {"category": Category.CRITICAL, "critical": Critical("Codes", "ann", "ben")},
    "copied": {"category": Category.SOCIAL, "dedup_window": timedelta(hours=1), "dedup_by": DedupBy.OBJECT},
    "poor": {"category": Category.SOCIAL, "waits_for": ["rich"], "waits": timedelta(minutes=2)},
    "rich": {"category": Category.SOCIAL},
    "grouped": {"category": Category.SOCIAL},
    "led": {"category": Category.SOCIAL},
    "flowing": {"category": Category.SOCIAL},
    "chained": {"category": Category.SOCIAL, "fallback": [Channel.PUSH, Channel.SMS]},
}
CHANNELS = [(Channel.PUSH,), (Channel.EMAIL,), (Channel.SMS,), (Channel.IN_APP, Channel.EMAIL)]

TOPICS = ["*", "category:social", "category:marketing", *TYPES]
PLACES = ["*", *Channel]


def someone(chance: Random) -> dict[str, Any]:
    pick = chance.choice
    return {
        "switches": [
            Switch(pick(TOPICS), pick(PLACES), pick([True, True, False]), pick([None, None, *DigestFrequency]))
            for _ in range(pick([0, 0, 1, 2]))
        ],
        "muted": chance.random() < 0.1,
        "quiet": QuietHours(chance.randrange(1440), chance.randrange(1440)) if chance.random() < 0.3 else None,
        "zone": pick(["UTC", "Asia/Kolkata", "America/New_York", "Europe/Zurich"]),
        "has": {channel for channel in (Channel.PUSH, Channel.EMAIL, Channel.SMS) if chance.random() < 0.8},
        "is_verified": chance.random() < 0.9,
        "is_suppressed": chance.random() < 0.1,
        "blocks_ann": chance.random() < 0.1,
        "before": [pick(list(TYPES)) for _ in range(pick([0, 1, 2, 3]))],
        "now": pick(list(TYPES)),
        "channels": pick(CHANNELS),
    }


def caps_and_defaults(chance: Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    pick = chance.choice
    caps = [{"topic": pick(TOPICS), "channel": pick(PLACES), "limit": pick([1, 2])} for _ in range(3)]
    defaults = {
        (topic, channel): {
            "topic": topic,
            "channel": channel,
            "is_on": pick([True, False]),
            "is_locked": pick([True, False]),
        }
        for topic, channel in [(pick(TOPICS[1:]), pick(PLACES)) for _ in range(2)]
    }
    return caps, list(defaults.values())


@pytest.fixture(autouse=True)
def _catalogue() -> Iterator[None]:
    tenants.forget_cached()
    events.forget_cached()
    owner = tenants.tenant_by_id(tenant())
    assert owner is not None
    words = {"title": "Hello", "body": "It is here."}
    plain = [Source(channel, "", words) for channel in (Channel.PUSH, Channel.IN_APP)]
    publish(owner, "all", sms("It is here."), email("<p>It is here.</p>"), *plain)
    for key, fields in TYPES.items():
        put_event_type(tenant=owner, key=key, name=key, template_key="all", **fields)
    rows = EventType.objects.all_tenants()
    rows.filter(key="grouped").update(group_by="type", group_window_seconds=300)
    rows.filter(key="led").update(group_by="type", group_window_seconds=300, group_leads=True)
    rows.filter(key="flowing").update(overflows=True)
    events.forget_cached()
    yield
    events.forget_cached()
    choosing.forget_cached()


def settle_in(specs: list[dict[str, Any]], run: str) -> list[UUID]:
    """The people with their addresses and choices, in a few statements."""
    owner = tenant()
    rows = Recipient.objects.bulk_create(
        Recipient(tenant_id=owner, user_id=f"{run}-{n}", timezone=spec["zone"]) for n, spec in enumerate(specs)
    )
    verified = {True: clock.now(), False: None}
    endpoints = Endpoint.objects.bulk_create(
        _endpoint(owner, row.id, channel, f"{row.user_id}@acme.test", verified_at=verified[spec["is_verified"]])
        for row, spec in zip(rows, specs, strict=True)
        for channel in sorted(spec["has"])
    )
    vetoed = {row.id for row, spec in zip(rows, specs, strict=True) if spec["is_suppressed"]}
    suppress(
        [
            NewSuppression(owner, Channel(e.channel), e.address_hash, "", SuppressionReason.COMPLAINT, "test")
            for e in endpoints
            if e.recipient_id in vetoed
        ]
    )
    wanted = {row.id: Wanted(owner, lambda _, spec=spec: chosen(spec)) for row, spec in zip(rows, specs, strict=True)}
    change_choices_of_many(wanted, by=Author("test"))
    return [row.id for row in rows]


def chosen(spec: dict[str, Any]) -> Change:
    return Change(
        switches=tuple({(s.topic, s.channel): s for s in spec["switches"]}.values()),
        muted=(Mute("category:social", "email", clock.now() + timedelta(days=1)),) if spec["muted"] else (),
        quiet_hours=OwnQuietHours((spec["quiet"],)) if spec["quiet"] else None,
        blocked_actors=frozenset({"ann"}) if spec["blocks_ann"] else None,
    )


def rule(owner: UUID, wanted_caps: list[dict[str, Any]], wanted_defaults: list[dict[str, Any]]) -> None:
    for table in (FrequencyCap, DefaultPreference):
        table.objects.all_tenants().delete()
    hour = {"period": "rolling", "window_seconds": 3600}
    FrequencyCap.objects.bulk_create(
        FrequencyCap(tenant_id=owner, name=f"cap {n}", **cap, **hour) for n, cap in enumerate(wanted_caps)
    )
    DefaultPreference.objects.bulk_create(DefaultPreference(tenant_id=owner, **one) for one in wanted_defaults)
    choosing.forget_cached()


def said(recipient: UUID, key: str, channels: tuple[Channel, ...]) -> UUID:
    kind = events.event_type(tenant(), key)
    assert kind is not None
    [made] = notify(
        [recipient],
        event_type=key,
        category=kind.category,
        channels=() if key == "chained" else channels,
        object_id="tx-1",
        actor_id="ann",
    )
    return made


def run_all() -> None:
    for lane in Category:
        if works := [w for w in claimed(f"route.{lane.value}") if w.kind != WorkKind.FLUSH]:
            route_batch(works)
    for lane in Category:
        for channel in Channel:
            send(f"send.{lane.value}.{channel.value}")


def expected(one: OnChannel) -> tuple[str, str, str]:
    assert one.explained is not None
    match one.explained.decision:
        case Send(bypassed=bypassed):
            return ("delivered" if one.channel == Channel.IN_APP else "sent", "", bypassed or "")
        case Hold(reason=reason) | Bundle(reason=reason):
            return ("held", reason, "")
        case Skip(reason):
            return ("skipped", reason, "")


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**32))
def test_what_is_explained_is_what_happens(seed: int) -> None:
    chance = Random(seed)
    specs = [someone(chance) for _ in range(PEOPLE)]
    wanted_caps, wanted_defaults = caps_and_defaults(chance)
    with pytest.MonkeyPatch.context() as patch:
        moment = clock.now()
        patch.setattr(clock, "now", lambda: moment)
        rule(tenant(), wanted_caps, wanted_defaults)
        people = settle_in(specs, moment.isoformat())
        for who, spec in zip(people, specs, strict=True):
            for key in spec["before"]:
                said(who, key, spec["channels"])
        run_all()
        told = [
            explain_channels(
                Question(
                    recipient_id=who,
                    event_type=kind,
                    at=moment,
                    channels=() if spec["now"] == "chained" else spec["channels"],
                    mode=KeyMode.TEST,
                    actor_id="ann",
                    object_id="tx-1",
                )
            )
            for who, spec in zip(people, specs, strict=True)
            if (kind := events.event_type(tenant(), spec["now"])) is not None
        ]
        made = [said(who, spec["now"], spec["channels"]) for who, spec in zip(people, specs, strict=True)]
        run_all()
    rows = Delivery.objects.all_tenants().filter(notification_id__in=made)
    happened: dict[tuple[UUID, str], set[tuple[str, str, str]]] = {}
    for id_, channel, *became in rows.values_list("notification_id", "channel", "status", "reason", "bypassed"):
        happened.setdefault((id_, channel), set()).add(tuple(became))
    foretold = {
        (id_, one.channel.value): {expected(one)}
        for id_, each in zip(made, told, strict=True)
        for one in each
        if one.explained is not None
    }
    assert happened == foretold
