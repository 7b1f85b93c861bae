"""Items seen, read, archived and all that undone: what changes, and what is reported, once."""

from datetime import timedelta

import pytest

from apps.core import ids
from apps.core.enums import EventKind
from apps.core.types import Engagement
from apps.inbox import engagement, selectors, services
from apps.inbox.models import InboxItem
from tests.integration import inbox_cast as cast
from tests.integration.inbox_cast import NOW, page, shown
from tests.integration.inbox_cast import acme as acme  # fixtures
from tests.integration.inbox_cast import rosa as rosa

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def told(monkeypatch):
    """What was reported as engagement, one entry a call."""
    calls = []
    monkeypatch.setattr(engagement, "_callbacks", [lambda found: calls.append(list(found))])
    return calls


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
