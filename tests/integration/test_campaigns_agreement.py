"""A campaign decides on a person as a single message would: together, one by one and by routing the answers are the same."""

import random
from datetime import datetime, timedelta

import pytest

from apps.audience.addresses import address_hash
from apps.audience.models import Endpoint, Recipient
from apps.campaigns import affording
from apps.core import clock, ids
from apps.core.enums import Category, Channel
from apps.dispatch import alike, broadcasting
from apps.ledger.models import Delivery, Notification
from apps.preferences import choosing
from apps.preferences.models import DefaultPreference, Mute, Preference, Profile, QuietHoursRule, Suppression
from tests.integration import campaign_runs_cast as cast
from tests.integration import dispatch_cast, templates_cast
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "carrier")]
ZONES = ("", "UTC", "Asia/Tokyo", "America/Phoenix", "nowhere/at-all")
CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.IN_APP)
KINDS = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.PUSH: "device"}


@pytest.fixture
def acme():
    tenant = templates_cast.tenant()
    templates_cast.publish(
        tenant,
        "spring",
        templates_cast.email(cast.LETTER),
        templates_cast.sms("Spring"),
        templates_cast.Source(Channel.PUSH, "", {"title": "Spring", "body": "Is here"}),
        templates_cast.Source(Channel.IN_APP, "", {"title": "Spring", "body": "Is here"}),
    )
    return tenant


def crowd(tenant, count=80):
    """Of every kind; each address is one person's own."""
    chance, now = random.Random(11), clock.now()
    people = []
    for n in range(count):
        person = Recipient.objects.create(
            tenant_id=tenant.id,
            user_id=f"p{n}",
            timezone=chance.choice(ZONES),
            blocked_at=now if chance.random() < 0.1 else None,
        )
        people.append(person.id)
        for channel, kind in KINDS.items():
            for place in range(chance.choice((0, 1, 1, 2))):
                id_, address = ids.new(), f"{channel}{n}-{place}@acme.test"
                Endpoint.objects.create(
                    id=id_,
                    tenant_id=tenant.id,
                    recipient_id=person.id,
                    channel=channel.value,
                    kind=kind,
                    sealed=cast.crypto.encrypt(address.encode(), bound_to=id_.bytes),
                    address_hash=address_hash(tenant.id, channel, address),
                    masked="+49*****12" if channel is Channel.SMS else "a***@acme.test",
                    platform="android" if channel is Channel.PUSH else "",
                    verified_at=now if chance.random() < 0.8 else None,
                    retired_at=now if chance.random() < 0.2 else None,
                )
                if chance.random() < 0.15:
                    hashed = address_hash(tenant.id, channel, address)
                    Suppression.objects.create(
                        tenant_id=tenant.id,
                        channel=channel.value,
                        address_hash=hashed,
                        reason="complaint",
                        masked="a***",
                    )
        if chance.random() < 0.4:
            _choose(tenant, person, chance, now)
    return people


def _choose(tenant, person, chance, now):
    said = {"tenant_id": tenant.id, "recipient_id": person.id}
    topic = chance.choice(("*", "category:marketing", "category:social"))
    channel = chance.choice(("*", "email", "sms"))
    digest = chance.choice(("", "", "daily"))
    Preference.objects.create(
        **said, topic=topic, channel=channel, is_on=chance.random() < 0.5 or bool(digest), digest=digest
    )
    if chance.random() < 0.3:
        Mute.objects.create(
            **said, topic="*", channel=chance.choice(("push", "email")), until=now + timedelta(days=1), source="test"
        )
    if chance.random() < 0.3:
        Profile.objects.create(
            **said, quiet_hours=chance.choice(([], [{"start": 0, "end": 1439, "channels": ["email"]}]))
        )
    Recipient.objects.filter(id=person.id).update(preferences_version=1)


def rules(tenant):
    minute = clock.now().hour * 60
    DefaultPreference.objects.create(tenant_id=tenant.id, topic="category:marketing", channel="sms", is_on=False)
    QuietHoursRule.objects.create(
        tenant_id=tenant.id, name="now", start=minute, end=(minute + 120) % 1440, channels=["push"]
    )
    choosing._rules.clear()


def answers(notifications):
    """By person: what became of them on each channel, and where it goes."""
    rows = Delivery.objects.all_tenants().filter(notification_id__in=notifications)
    found = {}
    for row in rows:
        because = {key: value for key, value in (row.because or {}).items() if key != "at"}
        said = (row.channel, row.status, row.reason, str(row.endpoint_id or ""), row.place, row.bypassed, str(because))
        found.setdefault(row.recipient_id, set()).add(said)
    return found


@pytest.mark.parametrize(
    ("way", "channels"),
    [("together", CHANNELS), ("together", (Channel.EMAIL,)), ("one by one", CHANNELS)],
    ids=["together", "together by mail", "one by one"],
)
def test_a_campaign_decides_as_a_single_message_does(acme, way, channels, monkeypatch):
    people = crowd(acme)
    rules(acme)
    if way == "one by one":
        monkeypatch.setattr(affording, "is_limited", lambda run: True)
    run = cast.started(cast.campaign(acme, channels=[channel.value for channel in channels]), size=30)
    dispatch_cast.route("marketing")
    mine = Notification.objects.of(acme).filter(broadcast_id=run.id).values_list("id", flat=True)

    singles = dispatch_cast.notify(
        people, channels=channels, category=Category.MARKETING, template_key="spring", slug=acme.slug
    )
    while dispatch_cast.route("marketing"):
        pass

    expected = answers(singles)
    found = answers(mine)
    assert sorted(found) == sorted(expected) == sorted(people)
    wrong = {p: (found[p] - expected[p], expected[p] - found[p]) for p in people if found[p] != expected[p]}
    assert wrong == {}
    words = {said[1:3] for said in set().union(*found.values())}
    seen = {("queued", ""), ("held", "quiet_hours"), ("skipped", "suppressed")}
    assert seen | ({("skipped", "off_by_default")} if Channel.SMS in channels else {("skipped", "muted")}) < words
    assert Delivery.objects.of(acme).filter(notification_id__in=mine, variant=None).count() == 0


def test_who_chose_the_same_is_decided_on_once_and_each_no_has_its_own_date(acme, monkeypatch):
    people = cast.people(acme, 9)
    said = clock.now().replace(microsecond=0) - timedelta(days=30)
    dates = {person: said + timedelta(days=day) for day, person in enumerate(people[:6])}
    off = people[3:6]
    for person, date in dates.items():
        row = Preference.objects.create(
            tenant_id=acme.id, recipient_id=person, topic="*", channel="email", is_on=person not in off, source="api"
        )
        Preference.objects.filter(id=row.id).update(updated_at=date)
    Recipient.objects.filter(id__in=dates).update(preferences_version=3)
    together, alone = noted(monkeypatch, alike), noted(monkeypatch, broadcasting)

    run = cast.started(cast.campaign(acme, channels=["email"]))

    assert (len(together), len(alone)) == (3, 3), "who chose nothing, on and off; then each who is off"
    mine = Notification.objects.of(acme).filter(broadcast_id=run.id).values_list("id", flat=True)
    rows = Delivery.objects.of(acme).filter(notification_id__in=mine)
    assert {row.recipient_id: row.status for row in rows} == {
        person: "skipped" if person in off else "queued" for person in people
    }
    assert {row.recipient_id: datetime.fromisoformat(row.because["since"]) for row in rows if row.because} == {
        person: dates[person] for person in off
    }


def test_whatever_somebody_can_choose_counts_for_those_who_are_decided_on_together(acme):
    people = cast.people(acme, 12)
    asleep, muted, off = people[3:6], people[6:9], people[9:]
    night = [{"start": 0, "end": 1439, "channels": ["email"]}]
    for person in people[3:]:
        Profile.objects.create(tenant_id=acme.id, recipient_id=person, quiet_hours=night if person in asleep else [])
    until = clock.now() + timedelta(days=1)
    for person in muted:
        Mute.objects.create(tenant_id=acme.id, recipient_id=person, topic="*", channel="*", until=until)
    for person in off:
        Preference.objects.create(tenant_id=acme.id, recipient_id=person, topic="*", channel="email", is_on=False)
    Recipient.objects.filter(id__in=people[3:]).update(preferences_version=1)

    run = cast.started(cast.campaign(acme, channels=["email"]))

    mine = Notification.objects.of(acme).filter(broadcast_id=run.id).values_list("id", flat=True)
    rows = Delivery.objects.of(acme).filter(notification_id__in=mine).values_list("recipient_id", "status", "reason")
    assert {person: (status, reason) for person, status, reason in rows} == {
        **dict.fromkeys(people[:3], ("queued", "")),
        **dict.fromkeys(asleep, ("held", "quiet_hours")),
        **dict.fromkeys(muted, ("skipped", "muted")),
        **dict.fromkeys(off, ("skipped", "channel_off")),
    }


def noted(monkeypatch, module):
    """Cases that the module has asked the brain about."""
    asked, real = [], module.decide

    def decide(case):
        asked.append(case)
        return real(case)

    monkeypatch.setattr(module, "decide", decide)
    return asked


def test_ids_made_in_postgresql_are_those_made_here(acme, monkeypatch):
    crowd(acme, 20)
    run = cast.started(cast.campaign(acme, channels=["email", "push"]))
    Wave = cast.Wave
    before = dispatch_cast.counts()
    affected = Wave.objects.of(acme).update(cursor=None, done_at=None)
    assert affected == 1
    monkeypatch.setattr(affording, "is_limited", lambda run: True)

    assert sum(cast.expand()) == 20

    assert dispatch_cast.counts() == before, "decided on one by one now, everybody has the same ids"
    assert run.audience_size == 20
