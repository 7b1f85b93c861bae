"""Putting items into feeds, and counting them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from apps.core import ids
from apps.core.crypto import UndecipherableError, decrypt
from apps.core.enums import EventKind
from apps.core.types import Engagement
from apps.inbox import engagement, selectors, services
from apps.inbox.models import InboxItem
from tests.integration import inbox_cast as cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def rosa(acme):
    return cast.recipient(acme, "rosa")


@pytest.fixture
def told(monkeypatch):
    """What was reported as engagement, one entry a call."""
    calls = []
    monkeypatch.setattr(engagement, "_callbacks", [lambda found: calls.append(list(found))])
    return calls


def page(acme, rosa, **wanted):
    defaults = {"limit": 20, "before": None, "is_unread_only": False, "is_archived": False, "now": NOW}
    return selectors.feed_page(tenant_id=acme, recipient_id=rosa, **(defaults | wanted))


def shown(acme, rosa, **wanted):
    return [item.content["title"] for item in page(acme, rosa, **wanted).items]


@pytest.mark.parametrize("count", [1, 10, 500])
def test_it_adds_any_number_of_items_in_one_statement(acme, rosa, count, django_assert_num_queries):
    items = [cast.new_item(acme, rosa, f"Item {number}") for number in range(count)]

    with django_assert_num_queries(1):
        services.add_items(items)

    assert InboxItem.objects.of(acme).count() == count


def test_it_adds_nothing_without_a_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        services.add_items([])


def test_an_item_added_twice_stays_as_it_was(acme, rosa):
    item = cast.new_item(acme, rosa, "First")
    services.add_items([item])
    services.mark_read(tenant_id=acme, recipient_id=rosa, item_id=item.id, now=NOW)

    services.add_items([cast.new_item(acme, rosa, "Second", id_=item.id), cast.new_item(acme, rosa, "Third")])

    assert shown(acme, rosa) == ["Third", "First"]
    assert page(acme, rosa).items[1].read_at == NOW


def test_content_is_sealed_to_its_item(acme, rosa):
    item, other = cast.new_item(acme, rosa, "A secret title"), cast.new_item(acme, rosa)
    services.add_items([item, other])

    sealed = bytes(InboxItem.objects.of(acme).get(id=item.id).sealed)

    assert b"secret" not in sealed
    assert b'"title":"A secret title"' in decrypt(sealed, bound_to=item.id.bytes)
    with pytest.raises(UndecipherableError):
        decrypt(sealed, bound_to=other.id.bytes)


def test_an_item_that_no_key_opens_does_not_hide_the_others(acme, rosa, caplog):
    items = [cast.new_item(acme, rosa, "Lost"), cast.new_item(acme, rosa, "Kept")]
    services.add_items(items)
    InboxItem.objects.of(acme).filter(id=items[0].id).update(sealed=b"\x02k9" + bytes(40))

    assert shown(acme, rosa) == ["Kept"]
    assert [record.message for record in caplog.records] == ["an inbox item cannot be decrypted"]


def test_the_feed_is_ordered_by_when_items_came_in_not_by_when_they_were_asked_for(acme, rosa):
    asked_for_last_week = ids.bound(NOW - timedelta(days=7))
    services.add_items([cast.new_item(acme, rosa, "Came in first")])
    services.add_items(
        [cast.new_item(acme, rosa, "Scheduled last week", id_=ids.derived(asked_for_last_week, "in_app"))]
    )

    assert shown(acme, rosa) == ["Scheduled last week", "Came in first"]


def test_pages_stay_apart_while_items_come_in(acme, rosa):
    services.add_items([cast.new_item(acme, rosa, f"Item {number}") for number in range(5)])
    first = page(acme, rosa, limit=2)

    services.add_items([cast.new_item(acme, rosa, "New")])
    second = page(acme, rosa, limit=2, before=first.last)
    third = page(acme, rosa, limit=2, before=second.last)

    assert [[item.content["title"] for item in found.items] for found in (first, second, third)] == [
        ["Item 4", "Item 3"],
        ["Item 2", "Item 1"],
        ["Item 0"],
    ]
    assert third.last is None


def test_what_has_expired_is_neither_shown_nor_counted(acme, rosa):
    services.add_items(
        [
            cast.new_item(acme, rosa, "Over", expires_at=NOW),
            cast.new_item(acme, rosa, "Not yet over", expires_at=NOW + HOUR),
            cast.new_item(acme, rosa, "Without end"),
        ]
    )

    assert shown(acme, rosa) == ["Without end", "Not yet over"]
    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(2, 2)
    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW + HOUR) == selectors.Counts(1, 1)


def test_nobody_sees_the_items_of_another_recipient_or_tenant(acme, rosa):
    otto, beta = cast.recipient(acme, "otto"), cast.tenant("beta")
    services.add_items([cast.new_item(acme, rosa)])

    assert shown(acme, otto) == []
    assert shown(beta, rosa) == []
    assert selectors.counts(tenant_id=beta, recipient_id=rosa, now=NOW) == selectors.Counts(0, 0)


def test_unread_counts_for_badges_take_one_query(acme, rosa, django_assert_num_queries):
    otto, bea = cast.recipient(acme, "otto"), cast.recipient(cast.tenant("beta"), "bea")
    items = [cast.new_item(acme, person) for person in (rosa, rosa, rosa, otto)]
    services.add_items(items)
    services.mark_read(tenant_id=acme, recipient_id=rosa, item_id=items[0].id, now=NOW)

    with django_assert_num_queries(1):
        assert selectors.unread_counts([rosa, otto, bea]) == {rosa: 2, otto: 1, bea: 0}
    with django_assert_num_queries(0):
        assert selectors.unread_counts([]) == {}


def test_seeing_empties_the_badge_and_leaves_the_items_unread(acme, rosa, told, django_assert_num_queries):
    items = [cast.new_item(acme, rosa), cast.new_item(acme, rosa)]
    services.add_items(items)

    with django_assert_num_queries(3):  # savepoint, update, release
        services.mark_seen(tenant_id=acme, recipient_id=rosa, now=NOW)

    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(unread=2, unseen=0)
    assert told == [[Engagement(item.id, EventKind.SEEN, NOW) for item in items]]


def test_reading_also_sees_and_is_reported_once(acme, rosa, told):
    item = cast.new_item(acme, rosa)
    services.add_items([item, cast.new_item(acme, rosa)])
    whose = {"tenant_id": acme, "recipient_id": rosa, "item_id": item.id}

    assert services.mark_read(**whose, now=NOW)
    assert services.mark_read(**whose, now=NOW + HOUR)

    assert told == [[Engagement(item.id, EventKind.SEEN, NOW), Engagement(item.id, EventKind.READ, NOW)]]
    assert [(i.seen_at, i.read_at) for i in page(acme, rosa).items] == [(None, None), (NOW, NOW)]


def test_unread_is_undone_reading_and_is_not_reported(acme, rosa, told):
    item = cast.new_item(acme, rosa)
    services.add_items([item])
    whose = {"tenant_id": acme, "recipient_id": rosa, "item_id": item.id}
    services.mark_read(**whose, now=NOW)
    told.clear()

    assert services.mark_unread(**whose, now=NOW + HOUR)

    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(unread=1, unseen=0)
    assert told == []


def test_archived_items_have_a_list_of_their_own(acme, rosa, told):
    item = cast.new_item(acme, rosa, "Away")
    services.add_items([item, cast.new_item(acme, rosa, "Here")])
    whose = {"tenant_id": acme, "recipient_id": rosa, "item_id": item.id}

    assert services.archive(**whose, now=NOW)
    assert services.archive(**whose, now=NOW + HOUR)

    assert (shown(acme, rosa), shown(acme, rosa, is_archived=True)) == (["Here"], ["Away"])
    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(1, 1)
    assert told == [[Engagement(item.id, EventKind.SEEN, NOW), Engagement(item.id, EventKind.ARCHIVED, NOW)]]

    assert services.unarchive(**whose, now=NOW + HOUR)
    assert shown(acme, rosa) == ["Here", "Away"]
    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(unread=2, unseen=1)
    assert len(told) == 1


def test_reading_all_leaves_out_what_is_archived_expired_or_anothers(acme, rosa, told):
    otto = cast.recipient(acme, "otto")
    here, away, over, his = (
        cast.new_item(acme, rosa),
        cast.new_item(acme, rosa),
        cast.new_item(acme, rosa, expires_at=NOW),
        cast.new_item(acme, otto),
    )
    services.add_items([here, away, over, his])
    services.archive(tenant_id=acme, recipient_id=rosa, item_id=away.id, now=NOW)
    told.clear()

    services.mark_all(tenant_id=acme, recipient_id=rosa, now=NOW)

    read = InboxItem.objects.of(acme).filter(read_at__isnull=False)
    assert list(read.values_list("id", flat=True)) == [here.id]
    assert told == [[Engagement(here.id, EventKind.SEEN, NOW), Engagement(here.id, EventKind.READ, NOW)]]


def test_reading_very_many_goes_in_portions(acme, rosa, told, monkeypatch):
    monkeypatch.setattr(services, "CHUNK", 3)
    services.add_items([cast.new_item(acme, rosa) for _ in range(7)])

    services.mark_all(tenant_id=acme, recipient_id=rosa, now=NOW)

    assert [len(call) for call in told] == [6, 6, 2]
    assert selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW) == selectors.Counts(0, 0)


@pytest.mark.parametrize("service", [services.mark_read, services.mark_unread, services.archive, services.unarchive])
def test_it_changes_nothing_of_another_recipient_or_tenant(acme, rosa, told, service):
    otto, beta = cast.recipient(acme, "otto"), cast.tenant("beta")
    item = cast.new_item(acme, rosa)
    services.add_items([item])
    before = InboxItem.objects.of(acme).values().get(id=item.id)

    assert not service(tenant_id=acme, recipient_id=otto, item_id=item.id, now=NOW)
    assert not service(tenant_id=beta, recipient_id=rosa, item_id=item.id, now=NOW)
    assert not service(tenant_id=acme, recipient_id=rosa, item_id=ids.new(), now=NOW)

    assert InboxItem.objects.of(acme).values().get(id=item.id) == before
    assert told == []


def test_an_error_while_reporting_undoes_the_change(acme, rosa, monkeypatch):
    item = cast.new_item(acme, rosa)
    services.add_items([item])

    def fail(_):
        raise RuntimeError("the ledger said no")

    monkeypatch.setattr(engagement, "_callbacks", [fail])
    with pytest.raises(RuntimeError, match="the ledger said no"):
        services.mark_read(tenant_id=acme, recipient_id=rosa, item_id=item.id, now=NOW)

    assert page(acme, rosa).items[0].read_at is None


def test_registering_a_callback_again_changes_nothing(monkeypatch):
    monkeypatch.setattr(engagement, "_callbacks", [])
    calls = []

    engagement.on_engagement(calls.append)
    engagement.on_engagement(calls.append)
    engagement.report([Engagement(ids.new(), EventKind.READ, NOW)])
    engagement.report([])

    assert len(calls) == 1


def test_a_forgotten_recipient_leaves_no_items(acme, rosa):
    from apps.audience.models import Recipient

    services.add_items([cast.new_item(acme, rosa)])

    Recipient.objects.of(acme).filter(id=rosa).delete()

    assert InboxItem.objects.all_tenants().count() == 0


def test_page_and_counts_use_their_indexes(acme, rosa):
    people = [cast.recipient(acme, f"u_{number}") for number in range(40)]
    for person in (*people, rosa):
        services.add_items([cast.new_item(acme, person) for _ in range(50)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inbox_inboxitem")

    assert "inbox_feed" in plan_of(lambda: page(acme, rosa))
    assert "inbox_unread" in plan_of(lambda: selectors.counts(tenant_id=acme, recipient_id=rosa, now=NOW))
    assert "inbox_unread" in plan_of(lambda: selectors.unread_counts([rosa]))


def plan_of(ask):
    plans = []

    def explain(execute, sql, params, many, context):
        if sql.lstrip().startswith("SELECT"):
            context["cursor"].execute(f"EXPLAIN {sql}", params)
            plans.extend(row[0] for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        ask()
    return "\n".join(plans)
