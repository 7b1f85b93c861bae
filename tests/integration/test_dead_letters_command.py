"""The operator's command line for dead letters."""

from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock, ids
from apps.core.enums import DeliveryStatus
from apps.ledger.models import DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem
from apps.tenants.services import create_tenant

pytestmark = pytest.mark.django_db


def failed(tenant_id: UUID, reason: str = "rejected") -> Delivery:
    """A failed email of a notification of that tenant, with its dead letter."""
    notification = Notification.objects.create(
        id=ids.new(), tenant_id=tenant_id, recipient_id=ids.new(), mode="live", category="social", event_type="",
        template_key="", channels=["email"], priority=1, event_id="", actor_id="", object_id="", ordering_key="",
        source="api", request_id="", created_at=clock.now(),
    )  # fmt: skip
    delivery = Delivery.objects.create(
        id=ids.new(), tenant_id=tenant_id, notification_id=notification.id, recipient_id=notification.recipient_id,
        channel="email", category="social", mode="live", status=DeliveryStatus.FAILED, reason=reason, bypassed="",
        account="", provider_message_id="", created_at=clock.now(), ended_at=clock.now(),
    )  # fmt: skip
    DeadLetter.objects.create(
        tenant_id=tenant_id, notification_id=notification.id, delivery_id=delivery.id, queue="send.social.email",
        reason=reason, context={},
    )  # fmt: skip
    return delivery


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("dead_letters", *arguments, stdout=out)
    return out.getvalue()


def test_it_lists_by_reason_and_only_this_tenants() -> None:
    acme, other = create_tenant(slug="acme", name="Acme"), create_tenant(slug="other", name="Other")
    failed(acme.id)
    failed(acme.id, "template_error")
    failed(other.id)
    lines = run("list", "acme").splitlines()
    assert len(lines) == 4
    assert "1 x rejected: The provider refused the message itself." in lines
    assert run("list", "acme", "--reason", "template_error").splitlines()[-1].startswith("1 x template_error")


def test_it_replays_once() -> None:
    acme = create_tenant(slug="acme", name="Acme")
    delivery = failed(acme.id)
    assert run("replay", "acme") == "Replayed 1 dead letters into send.social.email.\n"
    work = WorkItem.objects.get(lane="social", id=delivery.id)
    assert (work.queue, work.tries, work.phase) == ("send.social.email", 0, 0)
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.QUEUED
    assert run("replay", "acme") == "Replayed 0 dead letters into no queue.\n"
    assert WorkItem.objects.count() == 1


def test_it_gives_up_with_an_event_and_sends_nothing() -> None:
    acme = create_tenant(slug="acme", name="Acme")
    delivery = failed(acme.id)
    assert run("give-up", "acme") == "Gave up 1 dead letters.\n"
    letter = DeadLetter.objects.get()
    assert letter.resolution == "given_up"
    assert list(DeliveryEvent.objects.values_list("kind", "delivery_id")) == [("given_up", delivery.id)]
    assert WorkItem.objects.count() == 0
    assert run("list", "acme") == "No dead letters.\n"


def test_an_unknown_tenant_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no tenant nobody"):
        run("list", "nobody")
