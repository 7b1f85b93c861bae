"""/v1/notifications/bulk: many at once, each once, answered before anybody is looked up."""

from typing import Any

import pytest

from apps.audience.models import Recipient, Segment, SegmentMember
from apps.audience.segments.keeping import create_segment
from apps.campaigns.models import Campaign, NamedPeople, Run
from apps.core import ids
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.types import Tenant
from apps.ledger.models import Notification
from apps.templates.rendering import published
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast
from tests.integration.ingest_cast import Caller
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
BULK = "/v1/notifications/bulk"
HELLO = {"channels": ["email"], "category": "social", "message": {"title": "Moving", "body": "We {{ move }} to A&B."}}


@pytest.fixture
def tenant() -> Tenant:
    tenant = runs.acme()
    runs.people(tenant, 4)
    return tenant


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant)


def sent(caller: Caller, key: str | None = None, **more: Any) -> Any:
    answer = caller.post(BULK, {name: said for name, said in {**HELLO, **more}.items() if said is not None}, key=key)
    assert answer.status_code == 202, answer.content
    return answer


def refused(caller: Caller, status: int, code: str, **more: Any) -> Any:
    before = Campaign.objects.all_tenants().count()
    body = {name: said for name, said in {**HELLO, **more}.items() if said is not None}
    answer = caller.post(BULK, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert Campaign.objects.all_tenants().count() == before
    return answer.json()


def reached() -> list[str]:
    runs.begin()
    runs.expand()
    names = dict(Recipient.objects.all_tenants().values_list("id", "user_id"))
    return sorted(names[id_] for id_ in Notification.objects.values_list("recipient_id", flat=True))


def test_it_sends_to_people_by_name(caller: Caller) -> None:
    answer = sent(caller, recipient_ids=["u1", "u0", "u1", "ghost"]).json()
    campaign = Campaign.objects.of(caller.tenant).get()
    assert answer["campaign_id"] == ids.show(ids.CAMPAIGN, campaign.id)
    assert (answer["people"], answer["unknown"], answer["unknown_ids"]) == (2, 1, ["ghost"])
    assert answer["stats_url"] == f"/v1/campaigns/{answer['campaign_id']}/stats"
    assert (answer["status"], campaign.mode, campaign.launched_by) == ("scheduled", "test", "key shop")
    assert reached() == ["u0", "u1"]


def test_a_word_is_taken_word_for_word(caller: Caller) -> None:
    sent(caller, recipient_ids=["u0"])
    content = published([(caller.tenant.id, "bulk-message")])[caller.tenant.id, "bulk-message"]
    data = Campaign.objects.all_tenants().get().data
    said = templates_cast.said(caller.tenant, "bulk-message", Channel.EMAIL, data)
    assert said["subject"] == "Moving"
    assert "We {{ move }} to A&amp;B." in said["html"]
    assert templates_cast.said(caller.tenant, "bulk-message", Channel.SMS, data)["body"] == "We {{ move }} to A&B."
    sent(caller, recipient_ids=["u1"])
    assert (
        published([(caller.tenant.id, "bulk-message")])[caller.tenant.id, "bulk-message"].version.id
        == content.version.id
    )


def test_it_sends_to_a_segment_less_another_with_a_template(caller: Caller) -> None:
    create_segment(tenant_id=caller.tenant.id, key="all", name="All", rules={"everyone": True})
    create_segment(tenant_id=caller.tenant.id, key="some", name="Some", rules={"users": ["u1", "u2"]})
    more = {"segment_id": "all", "exclude_segment_id": "some", "template_id": "spring", "message": None}
    answer = sent(caller, **more, throttle=600, send_once_key="once", priority="high").json()
    assert answer["people"] is None
    campaign = Campaign.objects.all_tenants().get()
    assert (campaign.throttle, campaign.send_once_key, campaign.priority) == (600, "once", "high")
    assert reached() == ["u0", "u3"]


def test_many_people_become_a_list_when_it_is_prepared(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.campaigns.sending_bulk.MOST_USERS", 2)
    answer = sent(caller, recipient_ids=["u0", "u2", "u3", "ghost"]).json()
    assert (answer["people"], answer["unknown_ids"]) == (3, ["ghost"])
    assert Segment.objects.of(caller.tenant).get().kind == "list"
    assert not SegmentMember.objects.all_tenants().exists()
    assert reached() == ["u0", "u2", "u3"]
    assert SegmentMember.objects.all_tenants().count() == 3
    assert not NamedPeople.objects.all_tenants().exists()


def test_the_same_request_again_sends_nothing(caller: Caller) -> None:
    first = sent(caller, key="k", recipient_ids=["u0", "ghost"])
    again = sent(caller, key="k", recipient_ids=["u0", "ghost"])
    assert again.json() == first.json()
    assert (again["Idempotent-Replayed"], again["Idempotency-Key"]) == ("true", "k")
    answer = caller.post(BULK, {**HELLO, "recipient_ids": ["u1"]}, key="k")
    assert answer.json()["code"] == "idempotency_key_reused"
    assert Campaign.objects.all_tenants().count() == 1
    assert reached() == ["u0"]


def test_it_waits_for_its_time_and_expires(caller: Caller) -> None:
    more = {"schedule_at": "2035-03-01T09:00:30+01:00", "expiry_at": "2035-03-01T10:30:00+01:00"}
    answer = sent(caller, recipient_ids=["u0"], **more).json()
    assert answer["next_fire_at"] == "2035-03-01T08:00:30Z"
    campaign = Campaign.objects.all_tenants().get()
    assert campaign.schedule == {"kind": "at", "start": "2035-03-01T08:00:30", "zone": "UTC", "past": "send"}
    assert campaign.expires_after.total_seconds() == 89 * 60
    assert reached() == []
    assert not Run.objects.all_tenants().exists()


def test_it_refuses_what_cannot_be(caller: Caller) -> None:
    one = {"recipient_ids": ["u0"]}
    refused(caller, 400, "contradiction", **one, segment_id="all")
    refused(caller, 400, "contradiction")
    refused(caller, 400, "contradiction", **one, template_id="spring")
    refused(caller, 400, "contradiction", **one, data={"message": {}})
    refused(caller, 400, "unknown_segment", segment_id="nowhere")
    answer = refused(caller, 404, "unknown_template", **one, template_id="nowhere", message=None)
    assert answer["errors"][0]["pointer"] == "/template_id"
    refused(caller, 400, "schedule_in_past", **one, schedule_at="2020-01-01T00:00:00Z")
    refused(
        caller,
        400,
        "expiry_before_schedule",
        **one,
        schedule_at="2035-01-01T00:00:00Z",
        expiry_at="2035-01-01T00:00:59Z",
    )
    assert refused(caller, 404, "unknown_user", recipient_ids=["ghost"])["errors"][0]["pointer"] == "/recipient_ids"
    live = Caller(caller.tenant, mode=KeyMode.LIVE)
    assert "No provider account" in refused(live, 409, "campaign_not_ready", **one)["detail"]


def test_a_refusal_leaves_no_template_and_no_list(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.campaigns.sending_bulk.MOST_USERS", 1)
    refused(Caller(caller.tenant, mode=KeyMode.LIVE), 409, "campaign_not_ready", recipient_ids=["u0", "u1"])
    assert not Segment.objects.all_tenants().exists()
    assert (caller.tenant.id, "bulk-message") not in published([(caller.tenant.id, "bulk-message")])


@pytest.mark.parametrize("scopes", [(Scope.CAMPAIGNS_WRITE,), (Scope.CAMPAIGNS_LAUNCH,), (Scope.NOTIFICATIONS_WRITE,)])
def test_a_key_needs_both_scopes(tenant: Tenant, scopes: tuple[Scope, ...]) -> None:
    refused(Caller(tenant, *scopes), 403, "forbidden", recipient_ids=["u0"])


def test_people_and_segments_of_others_are_nobody(caller: Caller) -> None:
    beta = templates_cast.tenant("beta")
    runs.people(beta, 1, prefix="theirs")
    create_segment(tenant_id=beta.id, key="theirs", name="Theirs", rules={"everyone": True})
    refused(caller, 404, "unknown_user", recipient_ids=["theirs0"])
    refused(caller, 400, "unknown_segment", segment_id="theirs")


def test_what_it_asks_does_not_grow_with_the_people(caller: Caller) -> None:
    runs.people(caller.tenant, 1_000, prefix="more")
    sent(caller, recipient_ids=["u0"])
    for people in (1, 10, 1_000):
        with counted() as found:
            sent(caller, recipient_ids=[f"more{n}" for n in range(people)])
        assert len(found) == STATEMENTS, people


STATEMENTS = 21
