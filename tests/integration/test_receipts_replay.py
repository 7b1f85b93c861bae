"""Stored calls applied again by command: what was forgotten comes back, what was not counts once."""

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.channels import selectors as channels
from apps.core import clock, ids
from apps.core.enums import Channel
from apps.ledger.models import Delivery, DeliveryEvent
from apps.ledger.routing_results import claim_keys
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import apply, call, event, kinds_of, sent

pytestmark = pytest.mark.django_db


def test_replay_applies_again_what_was_forgotten_and_counts_once_what_was_not() -> None:
    bea, rosa = sent(), sent("rosa")
    first, second = call(event(bea, "delivered")), call(event(rosa, "delivered"))
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
        stored = call(event(sent(name), "delivered"))
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


def replayed(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_receipts", *arguments, stdout=out)
    return out.getvalue().strip()


def due() -> set[UUID]:
    return set(ReceiptCall.objects.filter(applied_at=None, parked_at=None, tries=0).values_list("id", flat=True))
