"""The loop of truth at a small size: events doubled, shuffled, late, before their send, poisoned, forged, in a flood."""

import logging
import random
from collections import Counter
from datetime import timedelta
from io import StringIO
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from apps.channels import registry
from apps.channels import selectors as channels
from apps.channels.base import NotSentError
from apps.channels.providers.sandbox import SandboxProvider
from apps.channels.sandbox.wire import SandboxEvent, SandboxEvents, encode
from apps.core import clock, ids
from apps.core.enums import Channel, EventKind, OutcomeKind
from apps.ledger.lifecycle import AFTER_EVENT, advance
from apps.ledger.models import Attempt, Delivery, DeliveryEvent
from apps.ledger.routing_results import claim_keys
from apps.preferences.models import Preference, SoftBounce, Suppression
from apps.receipts import follow_ups, keeping, services, tasks
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import AT, Sent, attempt, call, sent

pytestmark = pytest.mark.django_db


def apply() -> None:
    assert services.apply_due(ends=monotonic() + 20)


def again() -> None:
    ReceiptCall.objects.update(due_at=clock.now() - timedelta(seconds=1))
    apply()


def happened(one: Sent, kind: str, *, day: float = 0, event_id: str = "", code: str = "") -> SandboxEvent:
    at = (AT + timedelta(days=day)).timestamp()
    return SandboxEvent(event_id or f"{one.reference}-{kind}-{day}", kind, at, one.reference, "sbx1", code)


def kinds_of(one: Sent) -> list[str]:
    rows = DeliveryEvent.objects.of(one.tenant).filter(delivery_id=one.delivery)
    return sorted(rows.values_list("kind", flat=True))


def raw(*events: dict[str, Any]) -> UUID:
    """A call whose events are as they are given, sense or not."""
    return call(body=encode({"events": list(events)}))  # type: ignore[arg-type]


def plain(one: SandboxEvent) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_events_doubled_shuffled_and_late_end_as_a_recount_says() -> None:
    """E22: each event 1 to 5 times, in calls of any size and order."""
    chance = random.Random(22)
    people = [sent(f"user{number}") for number in range(20)]
    told = [
        happened(one, kind, day=chance.random())
        for one in people
        for kind in chance.sample(["sent", "delivered", "opened", "clicked", "bounced", "complained", "deferred"], 4)
    ]
    copies = [one for one in told for _ in range(chance.randint(1, 5))]
    chance.shuffle(copies)
    while copies:
        size = chance.randint(1, 17)
        call(*copies[:size])
        copies = copies[size:]
    apply()
    rows = Counter(DeliveryEvent.objects.of(people[0].tenant).values_list("delivery_id", "kind"))
    by_reference = {one.reference: one for one in people}
    assert rows == Counter((by_reference[one.reference].delivery, one.kind) for one in told)
    for one in people:
        status = Delivery.objects.of(one.tenant).get(id=one.delivery).status
        mine = [EventKind(each.kind) for each in told if each.reference == one.reference]
        if EventKind.BOUNCED in mine:
            assert status == "bounced"
        else:
            expected = "sent"
            for kind in mine:
                expected = advance(expected, AFTER_EVENT[kind]) if kind in AFTER_EVENT else expected  # type: ignore[arg-type, assignment]
            assert status == expected
    stamped = Delivery.objects.of(people[0].tenant)
    for kind, column in (("opened", "opened_at"), ("clicked", "clicked_at"), ("complained", "complained_at")):
        assert stamped.exclude(**{column: None}).count() == sum(one.kind == kind for one in told)
    assert not ReceiptCall.objects.filter(applied_at=None).exists()


def test_a_receipt_during_the_call_matches_by_the_intent() -> None:
    """E21: the attempt's row is there before the provider is called, so its reference is known however early the receipt is."""
    bea = sent()
    Attempt.objects.of(bea.tenant).filter(id=bea.attempt).update(ended_at=None, kind="")
    Delivery.objects.of(bea.tenant).filter(id=bea.delivery).update(status="queued", sent_at=None)
    stored = call(happened(bea, "delivered"))
    apply()
    assert bea.status == "delivered"
    assert ReceiptCall.objects.get(id=stored).applied_at is not None


def test_a_receipt_that_knows_only_the_providers_id_waits_for_it() -> None:
    """E21: orphans are parked in the call, looked for ever more rarely, and matched when their id is known."""
    bea, rosa = sent(), sent("rosa")
    orphan = SandboxEvent("ev-orphan", "delivered", AT.timestamp(), "", "sbx-late", "")
    stored = call(happened(rosa, "delivered"), orphan)
    apply()
    row = ReceiptCall.objects.get(id=stored)
    assert (rosa.status, bea.status) == ("delivered", "sent")
    assert (row.applied_at, row.error, row.waiting) == (None, "unmatched", ["ev-orphan"])
    Attempt.objects.of(bea.tenant).filter(id=bea.attempt).update(provider_message_id="sbx-late")
    again()
    row.refresh_from_db()
    assert (bea.status, row.applied_at is not None, row.waiting) == ("delivered", True, None)
    assert kinds_of(rosa) == kinds_of(bea) == ["delivered"]


def test_only_what_still_waits_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bea, rosa = sent(with_attempt=False), sent("rosa")
    call(happened(rosa, "delivered"), happened(bea, "delivered"))
    apply()
    asked: list[str] = []
    record = services.record
    monkeypatch.setattr(services, "record", lambda items: asked.extend(r.event_id for _, r in items) or record(items))
    attempt(bea)
    again()
    assert asked == [f"{bea.reference}-delivered-0"]
    assert bea.status == "delivered"


def test_one_poisoned_event_does_not_lose_its_call(caplog: pytest.LogCaptureFixture) -> None:
    bea, rosa = sent(), sent("rosa")
    poison = plain(happened(bea, "delivered")) | {"event_id": "ev-poison", "kind": "levitated"}
    stored = raw(plain(happened(bea, "delivered")), poison, plain(happened(rosa, "bounced")))
    apply()
    assert (bea.status, rosa.status) == ("delivered", "bounced")
    row = ReceiptCall.objects.get(id=stored)
    assert (row.applied_at, row.parked_at, row.tries) == (None, None, 1)
    assert row.error.startswith("PartlyUnreadableError: 1 of the call's events cannot be read: ValueError: 'levitated'")
    again()
    again()
    row.refresh_from_db()
    assert (row.parked_at is None, row.tries) == (False, 3)
    assert (kinds_of(bea), kinds_of(rosa)) == (["delivered"], ["bounced"])
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["receipt call parked"]


def test_one_event_that_cannot_be_written_does_not_lose_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [sent(f"user{number}") for number in range(4)]
    act_on = follow_ups.act_on

    def stumbles(applied: Any) -> None:
        if any(one.delivery_id == people[2].delivery for one in applied):
            raise RuntimeError("a fault of ours")
        act_on(applied)

    monkeypatch.setattr(follow_ups, "act_on", stumbles)
    stored = call(*(happened(one, "delivered") for one in people))
    other = call(happened(people[0], "opened"))
    apply()
    assert [one.status for one in people] == ["delivered", "delivered", "sent", "delivered"]
    row = ReceiptCall.objects.get(id=stored)
    assert (row.applied_at, row.tries, row.error) == (None, 1, "RuntimeError")
    assert ReceiptCall.objects.get(id=other).applied_at is not None
    monkeypatch.setattr(follow_ups, "act_on", act_on)
    again()
    assert people[2].status == "delivered"
    assert [kinds_of(one) for one in people[1:]] == [["delivered"]] * 3


def test_a_crashed_handler_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had written goes with its transaction; the call is still due."""
    bea = sent()
    stored = call(happened(bea, "bounced"))

    class Killed(BaseException):
        pass

    def killed(applied: Any) -> None:
        raise Killed

    monkeypatch.setattr(follow_ups, "act_on", killed)
    with pytest.raises(Killed):
        apply()
    assert (bea.status, kinds_of(bea)) == ("sent", [])
    monkeypatch.undo()
    apply()
    assert (bea.status, kinds_of(bea)) == ("bounced", ["bounced"])
    assert ReceiptCall.objects.get(id=stored).tries == 0


def test_a_worker_that_gave_way_in_a_deadlock_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bea = sent()
    call(happened(bea, "delivered"))
    act_on, met = follow_ups.act_on, []

    def meets(applied: Any) -> None:
        if not met:
            met.append(1)
            raise OperationalError("deadlock detected") from DeadlockDetected()
        act_on(applied)

    monkeypatch.setattr(follow_ups, "act_on", meets)
    apply()
    assert (bea.status, kinds_of(bea), ReceiptCall.objects.get().tries) == ("delivered", ["delivered"], 0)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("by", ["secret", "body", "time", "tenant"])
def test_a_forged_call_has_no_effect(client: Any, by: str) -> None:
    """E23: another key, another body, an old one, another account's secret."""
    from apps.channels.standard_webhooks import sign

    bea = sent()
    body = encode(SandboxEvents([happened(bea, "bounced")]))
    secret = {"secret": "whsec_AAAA", "tenant": "another-accounts-secret"}.get(by, settings.SANDBOX_SECRET)
    moment = clock.now() - timedelta(hours=2 if by == "time" else 0)
    headers = sign(secret, message_id="m1", timestamp=int(moment.timestamp()), body=body)
    sent_body = body.replace(b"bounced", b"delivered") if by == "body" else body
    answer = client.post("/v1/receipts/sandbox-email", data=sent_body, content_type="application/json", headers=headers)
    apply()
    assert (answer.status_code, ReceiptCall.objects.count()) == (401, 0)
    assert (bea.status, kinds_of(bea), Suppression.objects.of(bea.tenant).count()) == ("sent", [], 0)


def test_a_flood_of_bounces_suppresses_every_address() -> None:
    """E24."""
    people = [sent(f"user{number}") for number in range(120)]
    for start in range(0, 120, 10):
        call(*(happened(one, "bounced") for one in people[start : start + 10]))
    apply()
    rows = Suppression.objects.of(people[0].tenant)
    assert {bytes(row.address_hash) for row in rows} == {one.address_hash for one in people}
    assert {(row.reason, row.source) for row in rows} == {("hard_bounce", "sandbox-email")}


def test_soft_bounces_count_and_suppress_only_after_many_over_days() -> None:
    bea = sent()
    for number, day in enumerate((0, 1, 2, 3, 4)):
        call(happened(bea, "soft_bounced", day=day))
        apply()
        assert SoftBounce.objects.of(bea.tenant).get().count == number + 1
    assert not Suppression.objects.of(bea.tenant).exists()
    call(happened(bea, "soft_bounced", day=7))
    apply()
    row = Suppression.objects.of(bea.tenant).get()
    assert (row.reason, row.source, bytes(row.address_hash)) == ("soft_bounce", "sandbox-email", bea.address_hash)
    assert not SoftBounce.objects.of(bea.tenant).exists()
    assert bea.status == "sent"


def test_a_success_begins_the_count_of_soft_bounces_anew() -> None:
    bea = sent()
    call(*(happened(bea, "soft_bounced", day=day) for day in range(9)), happened(bea, "delivered", day=9))
    call(happened(bea, "soft_bounced", day=10))
    apply()
    row = SoftBounce.objects.of(bea.tenant).get()
    assert (row.endpoint_id, row.count, row.since) == (bea.endpoint, 1, AT + timedelta(days=10))
    assert not Suppression.objects.of(bea.tenant).exists()


def test_counts_of_a_year_ago_are_forgotten() -> None:
    bea, rosa = sent(), sent("rosa")
    for one, days in ((bea, 364), (rosa, 366)):
        since = clock.now() - timedelta(days=days)
        SoftBounce.objects.create(endpoint_id=one.endpoint, tenant_id=one.tenant, count=2, since=since)
    tasks.forget_soft_bounces()
    assert [row.endpoint_id for row in SoftBounce.objects.of(bea.tenant)] == [bea.endpoint]


def test_deferrals_are_no_soft_bounces() -> None:
    bea = sent()
    call(*(happened(bea, "deferred", day=day) for day in range(20)))
    apply()
    assert not SoftBounce.objects.of(bea.tenant).exists()
    assert not Suppression.objects.of(bea.tenant).exists()


def test_soft_bounces_never_suppress_when_that_is_switched_off(settings: Any) -> None:
    settings.SOFT_BOUNCE_LIMIT = 0
    bea = sent()
    call(*(happened(bea, "soft_bounced", day=day) for day in range(20)))
    apply()
    assert not Suppression.objects.of(bea.tenant).exists()


@pytest.mark.parametrize("kind", ["complained", "opted_out"])
def test_a_persons_no_switches_marketing_off_for_whatever_address_comes_next(kind: str) -> None:
    bea, rosa = sent(), sent("rosa")
    call(happened(bea, kind), happened(bea, kind, day=1), happened(rosa, "bounced"))
    apply()
    row = Preference.objects.of(bea.tenant).get()
    assert (row.topic, row.channel, row.is_on, row.source) == ("category:marketing", "email", False, "receipt")
    assert row.recipient_id == Delivery.objects.of(bea.tenant).get(id=bea.delivery).recipient_id


def test_a_persons_no_outweighs_an_earlier_yes() -> None:
    bea = sent()
    recipient = Delivery.objects.of(bea.tenant).get(id=bea.delivery).recipient_id
    yes = {"topic": "category:marketing", "channel": "email", "is_on": True, "source": "api"}
    Preference.objects.create(tenant_id=bea.tenant, recipient_id=recipient, **yes)
    call(happened(bea, "complained"))
    apply()
    row = Preference.objects.of(bea.tenant).get()
    assert (row.is_on, row.source) == (False, "receipt")


def test_a_no_of_somebody_who_is_gone_stops_nothing() -> None:
    bea, rosa = sent(), sent("rosa")
    Delivery.objects.of(bea.tenant).filter(id=bea.delivery).update(recipient_id=ids.new())
    stored = call(happened(bea, "complained"), happened(rosa, "complained"))
    apply()
    assert ReceiptCall.objects.get(id=stored).applied_at is not None
    assert Preference.objects.of(bea.tenant).count() == 1


class Asking(SandboxProvider):
    """Its calls want something of us. `answers`: what happens when it is given."""

    def __init__(self) -> None:
        self.answers: list[NotSentError | None] = []
        self.asked: list[tuple[bytes, bool]] = []

    def acknowledge(self, account: Any, call: Any, deadline: Any) -> None:
        self.asked.append((call.body, connection.in_atomic_block))
        if self.answers and (error := self.answers.pop(0)):
            raise error


@pytest.mark.django_db(transaction=True)
def test_what_a_call_asks_is_done_outside_of_any_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking()
    monkeypatch.setitem(registry._made, "sandbox", asking)  # type: ignore[arg-type]
    bea, rosa = sent(), sent("rosa")
    asking.answers = [NotSentError(OutcomeKind.PROVIDER_DOWN, "dns"), None]
    first, second = call(happened(bea, "delivered")), call(happened(rosa, "delivered"))
    apply()
    assert [is_inside for _, is_inside in asking.asked] == [False, False]
    held = ReceiptCall.objects.get(id=first)
    assert (held.applied_at, held.tries, held.error) == (None, 1, "NotSentError")
    assert ReceiptCall.objects.get(id=second).applied_at is not None
    assert (bea.status, rosa.status) == ("sent", "delivered")
    again()
    assert (bea.status, len(asking.asked)) == ("delivered", 3)
    assert not ReceiptCall.objects.filter(applied_at=None).exists()


def test_a_machines_open_is_kept_and_does_not_count() -> None:
    bea = sent()
    call(happened(bea, "opened", code="machine"))
    apply()
    row = Delivery.objects.of(bea.tenant).get(id=bea.delivery)
    assert (row.status, row.opened_at, kinds_of(bea)) == ("delivered", None, ["opened"])


def test_replay_applies_again_what_was_forgotten_and_counts_once_what_was_not() -> None:
    bea, rosa = sent(), sent("rosa")
    first, second = call(happened(bea, "delivered")), call(happened(rosa, "delivered"))
    apply()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_seen_key")
    claim_keys({})
    DeliveryEvent.objects.of(bea.tenant).filter(delivery_id=bea.delivery).delete()
    Delivery.objects.of(bea.tenant).filter(id=bea.delivery).update(status="sent")
    assert replayed(str(first)) == "1 will be applied again within seconds."
    apply()
    assert (bea.status, kinds_of(bea)) == ("delivered", ["delivered"])
    assert replayed(str(first)) == "1 will be applied again within seconds."
    apply()
    assert kinds_of(bea) == ["delivered"]
    assert ReceiptCall.objects.get(id=second).tries == 0


def test_replay_takes_a_time_an_account_and_only_what_is_parked() -> None:
    now = clock.now()
    account = channels.sandbox_account(Channel.EMAIL).id
    rows = {}
    for name, age, owner, is_parked in (
        ("old", 7_200, account, True),
        ("parked", 1_800, account, True),
        ("applied", 1_800, account, False),
        ("other", 1_800, ids.new(), True),
    ):
        stored = call(happened(sent(name), "delivered"))
        moved = ids.derived(ids.bound(now - timedelta(seconds=age)), name)
        state = {"parked_at": now} if is_parked else {"applied_at": now}
        ReceiptCall.objects.filter(id=stored).update(id=moved, account_id=owner, tries=3, error="e", **state)
        rows[name] = moved
    start = (now - timedelta(hours=1)).isoformat()
    assert replayed("--from", start, "--account", "sandbox-email", "--parked").startswith("1 ")
    assert due() == {rows["parked"]}
    assert replayed("--from", start, "--account", "sandbox-email").startswith("2 ")
    assert due() == {rows["parked"], rows["applied"]}
    assert replayed("--from", start).startswith("3 ")
    assert replayed("--from", start, "--to", start).startswith("0 ")
    assert due() == {rows["parked"], rows["applied"], rows["other"]}


@pytest.mark.parametrize("arguments", [[], ["--from", "2027-03-01", "00000000-0000-0000-0000-000000000000"]])
def test_replay_asks_for_ids_or_a_time(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Name ids of calls, or a time"):
        replayed(*arguments)


def test_replay_knows_no_other_account() -> None:
    with pytest.raises(CommandError, match="There is no provider account nobody"):
        replayed("--from", "2027-03-01", "--account", "nobody")


def test_many_single_calls_share_a_transaction(django_assert_max_num_queries: Any) -> None:
    """Providers that call for each event cost no statement for each."""
    people = [sent(f"user{number}") for number in range(100)]
    for one in people:
        call(happened(one, "delivered"))
    with django_assert_max_num_queries(14):
        apply()
    assert Delivery.objects.of(people[0].tenant).filter(status="delivered").count() == 100


def test_a_batch_is_bounded_by_bytes_and_by_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [sent(f"user{number}") for number in range(6)]
    for one in people:
        call(happened(one, "delivered"))
    sizes: list[int] = []
    record = services.record
    monkeypatch.setattr(services, "record", lambda items: sizes.append(len(items)) or record(items))
    monkeypatch.setattr(services, "MOST_RECEIPTS", 4)
    apply()
    assert sizes == [4, 2, 0]
    keeping.replay(ReceiptCall.objects.values_list("id", flat=True))
    monkeypatch.setattr(services, "MOST_BYTES", 1)
    sizes.clear()
    apply()
    assert sizes == [1, 1, 1, 1, 1, 1, 0]


def replayed(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_receipts", *arguments, stdout=out)
    return out.getvalue().strip()


def due() -> set[UUID]:
    return set(ReceiptCall.objects.filter(applied_at=None, parked_at=None, tries=0).values_list("id", flat=True))
