"""What is told again: what waits comes at once and anew, examples and other tenants' events do not come at all."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.problems import Problem
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.claiming import claim
from apps.webhooks.collecting import collect
from apps.webhooks.models import WebhookEvent
from apps.webhooks.replaying import replay_event, replay_range, send_test
from tests.contract.scripted import answer
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import (
    attempts,
    become,
    deliveries,
    due_now,
    endpoint,
    open_calls,
    receiver,
    row_of,
    send_due,
    waits,
)

pytestmark = pytest.mark.django_db


def test_a_call_that_waits_for_its_next_try_is_made_at_once_with_all_its_tries() -> None:
    with receiver(answer(500)) as server:
        made, _ = endpoint(server.url, "message.sent")
        become(deliveries(), "sent")
        for _ in range(3):
            due_now()
            send_due()
        assert waits()[0] > 1_700
        replay_event(tenant_id=tenant(), endpoint_id=made, event_id=WebhookEvent.objects.of(tenant()).get().id)
        assert open_calls() == 1 and waits()[0] <= 0
        send_due()
    assert [number for number, *_ in attempts()] == [1, 2, 3, 1]


def test_a_range_has_no_examples() -> None:
    with receiver() as server:
        made, _ = endpoint(server.url, "message.sent")
        send_test(tenant_id=tenant(), endpoint_id=made, kind=WebhookType.MESSAGE_SENT)
        become(deliveries(), "sent")
        assert len(send_due()) == 2
        moment = clock.now()
        day = timedelta(days=1)
        said = replay_range(
            tenant_id=tenant(), endpoint_id=made, start=moment - day, end=moment + day, only_failed=False
        )
    assert (said.count, open_calls()) == (1, 1)


def test_another_tenants_event_is_not_told() -> None:
    with receiver() as server:
        mine, _ = endpoint(server.url, "message.sent")
        endpoint(server.url, "message.sent", slug="globex")
        become(deliveries(slug="globex"), "sent")
        send_due()
        (foreign,) = WebhookEvent.objects.all_tenants()
        with pytest.raises(Problem) as refused:
            replay_event(tenant_id=tenant(), endpoint_id=mine, event_id=foreign.id)
        moment, day = clock.now(), timedelta(days=1)
        said = replay_range(
            tenant_id=tenant(), endpoint_id=mine, start=moment - day, end=moment + day, only_failed=False
        )
    assert (refused.value.code, said.count, open_calls()) == ("not_found", 0, 0)


def test_what_was_collected_in_the_moment_of_switching_off_is_not_told() -> None:
    with receiver() as server:
        made, _ = endpoint(server.url, "message.sent")
        become(deliveries(), "sent")
        collect()
        row = row_of(made)
        row.is_on = False
        row.save()
        assert claim(proven=10, others=10) == []
    assert (open_calls(), server.connections) == (1, 0)
