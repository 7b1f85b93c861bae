"""What is written for a page of a run: where it lies, who is told of it, and which address it goes to."""

import pytest
from django.db import connection
from django.db.models import Count

from apps.audience.models import Endpoint, Recipient
from apps.campaigns.models import Run, Wave
from apps.ledger import partitions, telling
from apps.ledger.models import Change, Delivery, Notification
from tests.integration import campaign_runs_cast as cast
from tests.integration import dispatch_cast
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]


@pytest.fixture
def acme():
    return cast.acme()


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ((), []),
        (
            ("accepted", "status.queued", "status.skipped"),
            [("accepted", 3), ("status.queued", 2), ("status.skipped", 1)],
        ),
        (("status.skipped",), [("status.skipped", 1)]),
    ],
)
def test_who_listens_is_told_of_what_is_on_a_page(acme, kinds, told):
    people = cast.people(acme, 3)
    Recipient.objects.of(acme).filter(id=people[0]).update(blocked_at=cast.clock.now())
    telling.listen(acme.id, kinds)

    run = cast.started(cast.campaign(acme))

    assert cast.fates(run) == [("queued", ""), ("queued", ""), ("skipped", "recipient_blocked")]
    changes = Change.objects.of(acme).values_list("kind").annotate(count=Count("id")).order_by("kind")
    assert list(changes) == told


@pytest.mark.parametrize("months", [0, 1])
def test_a_page_is_written_in_the_month_of_its_run_to_the_millisecond(acme, months):
    """The last one of this month, and the first of the next."""
    end = partitions.month_start(cast.clock.now(), 1)
    cast.people(acme, 2)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    Run.objects.of(acme).update(stamp=round(end.timestamp() * 1000) - 1 + months)

    assert cast.expand() == [2]

    month = partitions.month_start(end, months - 1)
    with connection.cursor() as cursor:
        for table in ("ledger_notification", "ledger_delivery"):
            cursor.execute(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
            assert cursor.fetchall() == [(partitions.partition_name(table, month), 2)]


@pytest.mark.parametrize("way", ["together", "one by one"])
def test_who_has_theirs_gets_it_at_no_other_address(acme, way, monkeypatch):
    if way == "one by one":
        monkeypatch.setattr("apps.campaigns.affording.is_limited", lambda run: True)
    cast.people(acme, 3)
    run = cast.started(cast.campaign(acme))
    rows = dispatch_cast.counts()
    Endpoint.objects.of(acme).update(retired_at=cast.clock.now())
    for person in cast.asked(run):
        dispatch_cast.endpoint(person, slug=acme.slug)
    Wave.objects.of(acme).update(cursor=None, done_at=None)

    assert cast.expand() == [3]

    assert dispatch_cast.counts() == rows


@pytest.mark.parametrize("way", ["together", "one by one"])
def test_of_several_addresses_the_newest_gets_it_in_whatever_order_they_lie(acme, way, monkeypatch):
    if way == "one by one":
        monkeypatch.setattr("apps.campaigns.affording.is_limited", lambda run: True)
    people = cast.people(acme, 8)
    newest = {
        person: dispatch_cast.endpoint(person, address=f"{person}@acme.test", slug=acme.slug) for person in people
    }
    # written anew, the older ones come behind the others in the table
    Endpoint.objects.of(acme).exclude(id__in=newest.values()).update(last_seen_at=cast.clock.now())

    run = cast.started(cast.campaign(acme))

    mine = Notification.objects.of(acme).filter(broadcast_id=run.id).values_list("id", flat=True)
    rows = Delivery.objects.of(acme).filter(notification_id__in=mine).values_list("recipient_id", "endpoint_id")
    assert sorted(rows) == sorted(newest.items())
