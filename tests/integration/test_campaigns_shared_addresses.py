"""Two people at one address: a campaign's message comes there once, to whoever of them can get it."""

import pytest
from django.conf import settings
from django.test import override_settings

from apps.audience.models import Recipient
from apps.audience.selectors import endpoints_of
from apps.core import clock
from apps.core.types import Tenant
from apps.dispatch.shared_addresses import told_elsewhere
from apps.events.models import EventType
from apps.ledger import selectors as ledger
from apps.ledger.models import Notification
from tests.integration import campaign_runs_cast as cast
from tests.integration import dispatch_cast
from tests.integration.dispatch_cast import Carrier
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.statements import counted_apart

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]
BOTH = "both@acme.test"


@pytest.fixture
def acme() -> Tenant:
    return cast.acme()


def send() -> None:
    while dispatch_cast.send("send.marketing.email"):
        pass


def told(carrier: Carrier) -> list[str]:
    return sorted(message.address for message in carrier.messages)


@pytest.mark.parametrize("together", [True, False])
def test_two_people_at_one_address_get_one_message(acme: Tenant, carrier: Carrier, together: bool) -> None:
    cast.people(acme, 3, addresses=[BOTH, BOTH, "own@acme.test"])
    run = cast.started(cast.campaign(acme), size=1_000 if together else 1)
    assert cast.fates(run) == [("queued", "")] * 3

    send()

    assert told(carrier) == [BOTH, "own@acme.test"]
    assert cast.fates(run) == [("sent", ""), ("sent", ""), ("skipped", "sent_before")]
    assert dispatch_cast.left() == []


def test_the_next_campaign_comes_there_too(acme: Tenant, carrier: Carrier) -> None:
    cast.people(acme, 2, addresses=[BOTH, BOTH])
    for name in ("Spring", "Summer"):
        cast.started(cast.campaign(acme, name=name))
    send()
    assert told(carrier) == [BOTH, BOTH]


def test_who_cannot_get_it_takes_it_from_nobody(acme: Tenant, carrier: Carrier) -> None:
    first, _ = cast.people(acme, 2, addresses=[BOTH, BOTH])
    run = cast.started(cast.campaign(acme))
    Recipient.objects.of(acme).filter(id=first).update(blocked_at=clock.now())

    send()

    assert told(carrier) == [BOTH]
    assert cast.fates(run) == [("sent", ""), ("skipped", "recipient_blocked")]


def test_messages_of_no_campaign_come_to_both(acme: Tenant, carrier: Carrier) -> None:
    dispatch_cast.notify(cast.people(acme, 2, addresses=[BOTH, BOTH]))
    dispatch_cast.route()
    dispatch_cast.send()
    assert told(carrier) == [BOTH, BOTH]


def test_it_holds_for_what_is_routed_too(acme: Tenant, carrier: Carrier) -> None:
    """A fallback chain leaves each to routing; who is told elsewhere is not told on the next channel either."""
    EventType.objects.create(
        tenant_id=acme.id, key="spring.news", name="News", category="marketing", fallback=["email", "sms"]
    )
    cast.people(acme, 2, addresses=[BOTH, BOTH])
    run = cast.started(cast.campaign(acme, event_type="spring.news"))
    dispatch_cast.route("marketing")
    send()
    assert told(carrier) == [BOTH]
    assert cast.fates(run) == [("sent", ""), ("skipped", "sent_before")]
    assert dispatch_cast.left() == []


def test_while_a_hash_key_changes_an_address_is_still_one(acme: Tenant, carrier: Carrier) -> None:
    cast.people(acme, 1, prefix="old", addresses=[BOTH])
    with override_settings(HASH_KEYS={"h2": b"2" * 32, **settings.HASH_KEYS}):
        cast.people(acme, 1, prefix="new", addresses=[BOTH])
        run = cast.started(cast.campaign(acme))
        dispatch_cast.route("marketing")
        send()
    assert told(carrier) == [BOTH]
    assert cast.fates(run) == [("sent", ""), ("skipped", "sent_before")]


def test_whoever_was_first_stays_the_one(acme: Tenant) -> None:
    """A process that died after asking asks again; who has no equal costs no second query."""
    cast.people(acme, 3, addresses=[BOTH, BOTH, "own@acme.test"])
    run = cast.started(cast.campaign(acme))
    ids = Notification.objects.of(acme).filter(broadcast_id=run.id).order_by("id").values_list("id", flat=True)
    found = ledger.notifications(list(ids))
    reached = endpoints_of(n.recipient_id for n in found.values())
    asked = {id_: (n, reached[n.recipient_id][0]) for id_, n in found.items()}
    rosa, otto = [id_ for id_, (_, endpoint) in asked.items() if endpoint.address == BOTH]
    (ann,) = set(asked) - {rosa, otto}

    assert told_elsewhere({otto: asked[otto]}) == frozenset()
    assert told_elsewhere({rosa: asked[rosa]}) == {rosa}
    assert told_elsewhere(asked) == {rosa}
    with counted_apart() as ran:
        assert told_elsewhere({ann: asked[ann]}) == frozenset()
    assert (len(ran.djangos), len(ran.ours)) == (0, 1), ran
    with counted_apart() as ran:
        assert told_elsewhere({}) == frozenset()
    assert (len(ran.djangos), len(ran.ours)) == (0, 0), ran
