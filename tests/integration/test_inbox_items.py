"""Putting items into feeds, reading feeds, and counting."""

from datetime import timedelta

import pytest
from django.db import connection

from apps.core import ids
from apps.core.crypto import UndecipherableError, decrypt
from apps.inbox import selectors, services
from apps.inbox.models import InboxItem
from tests.integration import inbox_cast as cast
from tests.integration.inbox_cast import NOW, page, shown
from tests.integration.inbox_cast import acme as acme  # fixtures
from tests.integration.inbox_cast import rosa as rosa

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


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
