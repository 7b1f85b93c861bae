"""Rosa chooses other hours, or lives by another clock: what waited for the end of the old ones is judged again at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from apps.audience.models import Recipient
from apps.audience.services import upsert_recipients
from apps.core.enums import DigestFrequency
from apps.core.types import Change, DigestTime, InlineRecipient, OwnQuietHours, QuietHours, Switch
from apps.dispatch import waking
from apps.ledger.models import Delivery, WorkItem
from apps.preferences.changing import Wanted, change_choices_of_many
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import Carrier, left, notify, route, send, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.new_times_cast import BY, EVENING, NIGHT, change, dues, move_to, on, sleeper
from tests.integration.new_times_cast import at as at
from tests.integration.new_times_cast import rosa as rosa
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
Captured = Any


AWAKE = [
    ("none at all", lambda rosa: change(rosa, quiet_hours=OwnQuietHours(()))),
    ("the tenant's, who has none", lambda rosa: change(rosa, quiet_hours=OwnQuietHours(None))),
    ("shorter", lambda rosa: change(rosa, quiet_hours=OwnQuietHours((QuietHours(23 * 60, 8 * 60),)))),
    ("another zone", lambda rosa: move_to("America/Los_Angeles")),
]


@pytest.mark.parametrize(("_name", "wakes"), AWAKE, ids=[row[0] for row in AWAKE])
def test_what_waits_for_the_night_to_end_goes_out_when_it_is_over_now(
    rosa: UUID,
    carrier: Carrier,
    rung: list[str],
    django_capture_on_commit_callbacks: Captured,
    _name: str,
    wakes: Callable[[UUID], None],
) -> None:
    for number in range(3):
        (n,) = notify([rosa], content={"title": str(number), "body": "b"})
        asked = datetime.now(UTC) - timedelta(hours=number)
        WorkItem.objects.all_tenants().filter(notification_id=n).update(order_at=asked)
    route()
    assert (states(), send()) == ([("email", "held", "quiet_hours")] * 3, 0)
    rung.clear()
    with django_capture_on_commit_callbacks(execute=True):
        wakes(rosa)
        assert rung == []
    assert rung == ["send.transactional.email"]
    by_turn = WorkItem.objects.all_tenants().order_by("due_at")
    assert [w.order_at for w in by_turn] == sorted(w.order_at for w in by_turn)
    assert len({w.due_at for w in by_turn}) == 3
    assert (send(), left(), states()) == (3, [], [("email", "sent", "")] * 3)
    assert [message.content["subject"] for message in carrier.messages] == ["2", "1", "0"]


def test_where_it_is_still_quiet_it_is_held_again_until_the_new_end(rosa: UUID, carrier: Carrier) -> None:
    notify([rosa])
    route()
    change(rosa, quiet_hours=OwnQuietHours((QuietHours(22 * 60, 6 * 60),)))
    assert send() == 1
    assert (states(), carrier.calls) == ([("email", "held", "quiet_hours")], [])
    # a wait is on the database's clock
    (due,) = dues().values()
    assert abs(due - datetime.now(UTC) - timedelta(hours=7, minutes=30)) < timedelta(seconds=30)


def test_a_worker_that_has_it_keeps_it(
    rosa: UUID, rung: list[str], django_capture_on_commit_callbacks: Captured
) -> None:
    notify([rosa])
    route()
    WorkItem.objects.all_tenants().update(phase=1, lease_token=7)
    before = WorkItem.objects.all_tenants().values().get()
    rung.clear()
    with django_capture_on_commit_callbacks(execute=True):
        change(rosa, quiet_hours=OwnQuietHours(()))
    assert (WorkItem.objects.all_tenants().values().get(), rung) == (before, [])


def test_nothing_of_anybody_else_moves_nor_what_waits_for_something_else(rosa: UUID) -> None:
    others = [sleeper("otto"), sleeper("rosa", "globex")]
    notify([rosa])
    notify([others[0]])
    notify([others[1]], slug="globex")
    route()
    later = notify([rosa], due_at=EVENING + timedelta(days=3))
    held = Delivery.objects.all_tenants().get(recipient_id=rosa).id
    before = dues()
    assert len(before) == 4
    change(rosa, quiet_hours=OwnQuietHours(()))
    after = dues()
    assert after.pop(held) < datetime.now(UTC) + timedelta(seconds=5) < before.pop(held)
    assert after == before and later[0] in after


def test_a_change_that_is_undone_wakes_nothing(rosa: UUID) -> None:
    notify([rosa])
    route()
    before = dues()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        change(rosa, quiet_hours=OwnQuietHours(()))
        raise ZeroDivisionError
    assert dues() == before


LOOKS = [
    ("quiet hours", {"quiet_hours": OwnQuietHours(())}, 1),
    ("an hour of digests", {"digest_time": DigestTime(7, 2)}, 1),
    ("a digest", on("order.*", DigestFrequency.DAILY), 1),
    ("on", on("order.*"), 1),
    ("both", {**on("order.*"), "quiet_hours": OwnQuietHours(())}, 2),
    ("off", {"switches": (Switch("order.*", "email", False),)}, 0),
    ("somebody blocked", {"blocked_actors": frozenset({"otto"})}, 0),
    ("the same again", {"quiet_hours": NIGHT, "digest_time": DigestTime(9, 0)}, 0),
]


@pytest.mark.parametrize(("_name", "fields", "looks"), LOOKS, ids=[row[0] for row in LOOKS])
@pytest.mark.parametrize("count", [1, 5])
def test_who_has_nothing_waiting_costs_a_look(
    at: object, count: int, _name: str, fields: dict[str, Any], looks: int
) -> None:
    everybody = [sleeper(f"u{n}") for n in range(count)]
    wanted = {id_: Wanted(tenant(), lambda _: Change(**fields)) for id_ in everybody}
    with counted() as statements:
        change_choices_of_many(wanted, by=BY)
    assert (
        len([s for s in statements if s.split("FROM ")[-1].startswith(("ledger_delivery", "ledger_bundle"))]) == looks
    )
    assert not [s for s in statements if "ledger_work_item" in s]


@pytest.mark.parametrize("count", [1, 5])
def test_waking_takes_a_fixed_number_of_statements(at: object, count: int) -> None:
    everybody = [sleeper(f"u{n}") for n in range(count)]
    notify(everybody)
    notify(everybody)
    route()
    with counted() as statements:
        waking.wake(everybody, everybody)
    assert len(statements) == 3  # what is held, their work; which digests are open
    assert all(due < datetime.now(UTC) for due in dues().values())


def test_people_named_with_their_zone_cost_nothing_more_unless_it_is_another_one(rosa: UUID) -> None:
    acme = tenant_by_id(tenant())
    assert acme is not None

    def cost(**fields: Any) -> int:
        with counted() as statements:
            upsert_recipients(tenant=acme, inline=[InlineRecipient("rosa", **fields)])
        return len([s for s in statements if "ledger_" in s])

    assert [cost(timezone="Asia/Tokyo"), cost(timezone="Asia/Tokyo"), cost(locale="de"), cost()] == [2, 0, 0, 0]
    assert Recipient.objects.get(id=rosa).timezone == "Asia/Tokyo"
