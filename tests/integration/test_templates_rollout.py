"""A version for a share of the people: who gets it, how it rises, ends, and is taken back by itself."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.channels.models import Alert
from apps.core import clock, ids
from apps.core.enums import Channel, KeyMode, OutcomeKind
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Outcome, Tenant
from apps.dispatch import rollouts
from apps.ledger.models import Attempt, Delivery
from apps.templates import models, rollout, selectors, services
from apps.templates.parsed import bucket, published
from tests.integration.dispatch_cast import Carrier, claimed, dead, left, notify, people, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.templates_cast import draft, email, publish, sms
from tests.integration.templates_cast import tenant as acme_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Tenant:
    return acme_of()


def stage(acme: Tenant, *variants: Any, share: float = 50.0, **options: Any) -> UUID:
    """Version 1 for all, version 2 for a share."""
    publish(acme, "order", sms("One"), email("<p>One</p>"))
    draft(acme, "order", *variants, **options)
    services.publish(tenant=acme, key="order", by="mira", share=share)
    found = rollout.rollout(acme, "order")
    assert found is not None
    return found.version_id


def steps(acme: Tenant) -> list[tuple[int, str, float, str]]:
    id_ = models.Template.objects.of(acme).get().id
    return [(step.number, step.action, step.share, step.by) for step in selectors.steps(acme, id_, 9)]


def order(acme: Tenant) -> Any:
    return published([(acme.id, "order")])[acme.id, "order"]


def test_it_goes_from_a_share_to_everybody(acme: Tenant) -> None:
    version = stage(acme, sms("Two"), share=5)
    assert (order(acme).version.number, order(acme).staged.version.number, order(acme).share) == (1, 2, 500)
    rollout.raise_share(tenant=acme, key="order", share=50, by="otto")
    assert order(acme).share == 5_000
    found = rollout.rollout(acme, "order")
    assert found is not None
    assert (found.share, found.number, found.against, found.by, found.version_id) == (50.0, 2, 1, "mira", version)
    assert rollout.finish(tenant=acme, key="order", by="mira") == 2
    assert (order(acme).version.number, order(acme).staged) == (2, None)
    assert steps(acme) == [
        (2, "finished", 100.0, "mira"),
        (2, "raised", 50.0, "otto"),
        (2, "staged", 5.0, "mira"),
        (1, "published", 100.0, "mira"),
    ]
    assert rollout.rollout(acme, "order") is None
    row = models.Rollout.objects.of(acme).get()
    assert (row.outcome, row.because, row.ended_at is not None) == ("finished", "", True)


def test_it_is_reverted_by_hand_and_nobody_gets_it_any_more(acme: Tenant) -> None:
    stage(acme, sms("Two"), share=99.99)
    assert rollout.revert(tenant=acme, key="order", by="otto", because="It reads badly.") == 1
    assert (order(acme).version.number, order(acme).staged) == (1, None)
    assert steps(acme)[0] == (2, "reverted", 0.0, "otto")
    row = models.Rollout.objects.of(acme).get()
    assert (row.outcome, row.because) == ("reverted", "It reads badly.")
    assert rollout.taken_back(row.created_at, row.created_at) == []
    # a version of its own, for a new try
    draft(acme, "order", sms("Three"))
    assert services.publish(tenant=acme, key="order", by="mira", share=1) == 3


def test_a_rollback_ends_it(acme: Tenant) -> None:
    stage(acme, sms("Two"))
    services.rollback(tenant=acme, key="order", to_number=2, by="mira")
    assert (order(acme).version.number, order(acme).staged) == (2, None)
    assert models.Rollout.objects.of(acme).get().outcome == "rolled_back"


@pytest.mark.parametrize("share", [0, 0.001, -1, 100.01, 5, 4])
def test_a_share_only_rises_and_within_bounds(acme: Tenant, share: float) -> None:
    stage(acme, sms("Two"), share=5)
    with pytest.raises(Problem) as caught:
        rollout.raise_share(tenant=acme, key="order", share=share, by="otto")
    assert (caught.value.code, order(acme).share) == (Code.OUT_OF_RANGE, 500)


def test_it_refuses_what_cannot_be_staged(acme: Tenant) -> None:
    draft(acme, "order", sms("One"))
    with pytest.raises(Problem) as caught:
        services.publish(tenant=acme, key="order", by="mira", share=5)
    assert caught.value.code is Code.CONTRADICTION
    for call in (rollout.finish, rollout.revert):
        with pytest.raises(Problem) as caught:
            call(tenant=acme, key="order", by="mira")
        assert caught.value.code is Code.NOTHING_STAGED
    services.publish(tenant=acme, key="order", by="mira")
    draft(acme, "order", sms("Two"))
    services.publish(tenant=acme, key="order", by="mira", share=5)
    draft(acme, "order", sms("Three"))
    with pytest.raises(Problem) as caught:
        services.publish(tenant=acme, key="order", by="mira")
    assert (caught.value.code, caught.value.detail) == (
        Code.CONFLICT,
        "Version 2 goes to 5 % of the people: finish or revert it first.",
    )
    with pytest.raises(Problem) as caught:
        rollout.finish(tenant=acme_of("globex"), key="order", by="mira")
    assert caught.value.code is Code.NOT_FOUND
    assert steps(acme)[0] == (2, "staged", 5.0, "mira")


def send_to(ids_: list[UUID], **options: Any) -> None:
    notify(ids_, template_key="order", **options)
    route()
    while send():
        pass


def versions_sent() -> dict[UUID, int]:
    rows = Attempt.objects.all_tenants().values_list("delivery_id", "template_version")
    recipients = dict(Delivery.objects.all_tenants().values_list("id", "recipient_id"))
    return {recipients[delivery]: number for delivery, number in rows}


def test_each_person_gets_the_version_of_their_share(acme: Tenant, carrier: Carrier, rung: list[str]) -> None:
    crowd = people(40)
    version = stage(acme, sms("Two"), email("<p>Two</p>"), share=50)
    send_to(crowd)
    expected = {id_: 2 if bucket(version, id_) < 5_000 else 1 for id_ in crowd}
    assert versions_sent() == expected
    assert {1, 2} == set(expected.values())
    send_to(crowd)
    assert versions_sent() == expected
    rollouts.watch(clock.now())
    found = rollout.rollout(acme, "order")
    assert found is not None and found.share == 50.0
    assert not Alert.objects.all_tenants().exists()


def test_a_faulty_version_is_taken_back_and_who_failed_is_told_so(
    acme: Tenant, carrier: Carrier, rung: list[str]
) -> None:
    crowd = people(120)
    version = stage(acme, sms("Two"), email("<p>{{ data.total }}</p>"), share=50, sample={"total": "9"})
    mine = {id_ for id_ in crowd if bucket(version, id_) < 5_000}
    send_to(crowd)
    assert set(versions_sent()) == set(crowd) - mine
    states = dict(Delivery.objects.all_tenants().values_list("recipient_id", "status"))
    assert {id_ for id_, status in states.items() if status == "failed"} == mine
    assert [reason for reason, _ in dead()] == ["template_error"] * len(mine)
    assert dead()[0][1] == {
        "code": "missing_data",
        "detail": "`data.total` is missing.",
        "line": 1,
        "column": 7,
        "template_version": str(version),
        "version": 2,
    }
    rollouts.watch(clock.now())
    n, m = len(mine), len(crowd) - len(mine)
    because = (
        f"{n} of {n} messages (100 %) of version 2 failed, 0 of {m} messages (0 %) of version 1. "
        f"Most often: `data.total` is missing. Those {n} were not sent; each says so in its timeline, and can be sent again "
        "from the dead letters."
    )
    assert steps(acme)[0] == (2, "reverted", 0.0, "itself")
    assert models.Rollout.objects.of(acme).get().because == because
    assert (order(acme).version.number, order(acme).staged) == (1, None)
    alert = Alert.objects.all_tenants().get()
    assert (alert.kind, alert.subject, alert.tenant_id, alert.ended_at) == (
        "template_reverted",
        "acme/order",
        acme.id,
        None,
    )
    assert alert.text == f"acme: version 2 of `order` was taken back from 50 % of the people. {because}"
    rollouts.watch(clock.now())
    assert (len(steps(acme)), Alert.objects.all_tenants().count(), left()) == (3, 1, [])
    send_to(sorted(mine)[:5])
    assert {versions_sent()[id_] for id_ in sorted(mine)[:5]} == {1}


def test_the_alert_ends_when_somebody_decides_or_after_a_day(acme: Tenant, carrier: Carrier, rung: list[str]) -> None:
    crowd = people(120)
    stage(acme, sms("Two"), email("<p>{{ data.total }}</p>"), share=50, sample={"total": "9"})
    send_to(crowd)
    rollouts.watch(clock.now())
    alerts = Alert.objects.all_tenants().filter(ended_at=None)
    assert alerts.count() == 1
    rollouts.watch(clock.now() + timedelta(hours=23))
    assert alerts.count() == 1
    publish(acme, "order", sms("Three"), email("<p>Three</p>"))
    rollouts.watch(clock.now())
    assert alerts.count() == 0


def test_what_a_provider_refuses_of_the_new_version_alone_takes_it_back(
    acme: Tenant, carrier: Carrier, rung: list[str]
) -> None:
    crowd = people(120)
    version = stage(acme, sms("Two"), email("<p>BAD</p>"), share=50)
    refused = Outcome(OutcomeKind.REJECTED, "content_refused", "no")
    carrier.max_batch = 1
    carrier.during = lambda messages: setattr(
        carrier,
        "says",
        [refused if "BAD" in messages[0].content["html"] else Outcome(OutcomeKind.ACCEPTED, provider_message_id="m")],
    )
    send_to(crowd)
    rollouts.watch(clock.now())
    row = models.Rollout.objects.of(acme).get()
    assert (row.version_id, row.outcome) == (version, "reverted")
    assert "Most often: content_refused." in row.because


def test_a_provider_that_refuses_everything_takes_no_version_back(
    acme: Tenant, carrier: Carrier, rung: list[str]
) -> None:
    crowd = people(120)
    stage(acme, sms("Two"), email("<p>Two</p>"), share=50)
    carrier.says = [Outcome(OutcomeKind.REJECTED, "account_full", "no")]
    send_to(crowd)
    rollouts.watch(clock.now())
    assert (order(acme).share, Alert.objects.all_tenants().count()) == (5_000, 0)


def test_what_is_settled_is_counted_once(
    acme: Tenant, carrier: Carrier, rung: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    crowd = people(30)
    stage(acme, sms("Two"), email("<p>Two</p>"), share=50)
    send_to(crowd)
    later = clock.now() + timedelta(seconds=61)
    rollouts.watch(later)
    found = rollout.rollout(acme, "order")
    assert found is not None
    assert (found.new.sends + found.old.sends, found.new.errors, found.counted_to) == (
        30,
        0,
        ids.bound(later - timedelta(seconds=60)),
    )
    with django_assert_num_queries(3):
        rollouts.watch(later + timedelta(seconds=15))
    again = rollout.rollout(acme, "order")
    assert again is not None and (again.new, again.old) == (found.new, found.old)
    assert rollout.advance(found, to=ids.new(), new=found.new, old=found.old) is False
    rollout.finish(tenant=acme, key="order", by="mira")
    with django_assert_num_queries(2):
        rollouts.watch(later)


def test_a_pinned_version_is_sent_whatever_is_staged(acme: Tenant, carrier: Carrier, rung: list[str]) -> None:

    from apps.dispatch import facts as facts_of
    from apps.ledger import selectors as ledger

    (one,) = people(1)
    version = stage(acme, sms("Two"), email("<p>Two</p>"), share=0.01)
    (id_,) = notify([one], template_key="order", mode=KeyMode.LIVE)
    n = ledger.notifications([id_])[id_]
    pinned = structs.replace(n, template_version_id=version)
    unknown = structs.replace(n, template_version_id=ids.new())
    found = facts_of.load([n, pinned, unknown], Channel.EMAIL)
    numbers = [content and content.version.number for content in map(found.content, (n, pinned, unknown))]
    assert numbers == [1, 2, None]
    assert (tenant(), claimed("send.transactional.email")) == (acme.id, [])
