"""The composer's last tab: what keeps a campaign from being launched, asking, launching; tests to a few people; the list."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.segments import fields, keeping, stored
from apps.campaigns import composing, usage
from apps.campaigns.models import Approval, Campaign, Policy, Run, Wave
from apps.campaigns.models.counting import Slice
from apps.core import clock
from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.ledger.models import Notification
from apps.templates.proving import Source
from apps.templates.usage import usage_of
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.statements import counted
from tests.integration.test_campaigns_composer import LIST, part, quickly, typed
from tests.integration.test_campaigns_composing import values

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Tenant:
    return cast.tenant()


@pytest.fixture
def spring(acme: Tenant) -> UUID:
    """Ready, in the sandbox, for three people."""
    cast.publish(acme, "spring", cast.sms("Hello, reply STOP to end"))
    keeping.create_segment(tenant_id=acme.id, key="vip", name="VIP", rules={"everyone": True})
    for name in ("rosa", "otto", "bea"):
        people.person(acme, name)
    said = values(
        name="Spring",
        mode="test",
        channels=["in_app"],
        category="social",
        audience={"include": {"segment": "vip"}, "exclude": None},
        variants=[{"name": "A", "template_key": "feed"}],
    )
    cast.publish(acme, "feed", Source(Channel.IN_APP, "", {"title": "Spring", "body": "It is here"}))
    return composing.create_campaign(tenant=acme, values=said, by="operator otto", now=clock.now())


def verdict(client: Client, id_: UUID) -> str:
    return str(client.get(part(id_, "verdict"), headers={"HX-Request": "true"}).content.decode())


def limit(acme: Tenant, **fields: int) -> None:
    Policy.objects.update_or_create(tenant_id=acme.id, defaults=fields)


def status() -> str:
    return str(Campaign.objects.get().status)


def test_a_ready_campaign_is_launched(mira: Client, spring: UUID) -> None:
    said = verdict(mira, spring)
    assert "for 3 people</button>" in said
    assert "None is needed." in said
    assert mira.post(part(spring, "launch")).status_code == 302
    row = Campaign.objects.get()
    assert (row.status, row.launched_by) == ("scheduled", "operator mira")


def test_what_is_for_later_is_looked_at_again(mira: Client, spring: UUID) -> None:
    Campaign.objects.update(schedule={"kind": "at", "start": "2035-03-01T09:00", "zone": "UTC"})
    assert "None is needed now; people and cost are looked at again when its time comes." in verdict(mira, spring)


def test_what_is_missing_keeps_it_from_being_launched(mira: Client, acme: Tenant, spring: UUID) -> None:
    composing.save_part(
        tenant=acme, campaign_id=spring, values=values(audience=None), version=1, by="operator mira", now=clock.now()
    )
    assert "1 thing keeps it from being launched" in verdict(mira, spring)
    mira.post(part(spring, "launch"))
    assert status() == "draft"


def test_an_approval_is_asked_for_where_one_is_needed(mira: Client, acme: Tenant, spring: UUID) -> None:
    limit(acme, approval_above_people=2)
    said = verdict(mira, spring)
    assert "above 2 somebody else has to approve it" in said
    assert "for 3 people</button>" not in said
    mira.post(part(spring, "launch"))
    assert status() == "draft"
    mira.post(part(spring, "ask"), {"note": "Please"})
    assert status() == "in_review"
    assert list(Approval.objects.values_list("asked_by", "note", "people")) == [("operator mira", "Please", 3)]


def test_breaking_the_glass_needs_a_reason_and_the_permission(mira: Client, acme: Tenant, spring: UUID) -> None:
    limit(acme, approval_above_people=2)
    vera = people.viewer("campaigns.view_campaign", "campaigns.launch_campaign")
    assert vera.post(part(spring, "launch"), {"glass": "1", "comment": "Now"}).status_code in (403, 404)
    mira.post(part(spring, "launch"), {"glass": "1", "comment": " "})
    assert status() == "draft"
    mira.post(part(spring, "launch"), {"glass": "1", "comment": "The shop burns"})
    assert status() == "scheduled"
    assert Approval.objects.get().comment == "The shop burns"


def test_who_may_break_the_glass_needs_no_other_permission_to_launch(acme: Tenant, spring: UUID) -> None:
    limit(acme, approval_above_people=2)
    vera = people.viewer("campaigns.view_campaign", "campaigns.break_glass")
    said = verdict(vera, spring)
    assert "Launch it without an approval" in said
    assert "Ask for an approval" not in said
    assert vera.post(part(spring, "launch")).status_code in (403, 404)
    assert status() == "draft"
    vera.post(part(spring, "launch"), {"glass": "1", "comment": "The shop burns"})
    assert status() == "scheduled"


@pytest.mark.parametrize(("number", "found"), [("", "draft"), ("5", "draft"), ("3", "scheduled"), (" 3 ", "scheduled")])
def test_above_the_policys_number_it_has_to_be_typed(
    mira: Client, acme: Tenant, spring: UUID, number: str, found: str
) -> None:
    limit(acme, type_number_above=2)
    assert "Type that number" in verdict(mira, spring)
    mira.post(part(spring, "launch"), {"people": number})
    assert status() == found


def test_nothing_is_done_by_looking(mira: Client, spring: UUID) -> None:
    for name in ("launch", "ask", "reopen", "test-send"):
        assert mira.get(part(spring, name.replace("-", "_"))).status_code in (403, 405)
    assert status() == "draft"


def test_limits_are_kept_as_micros_and_percent(mira: Client, spring: UUID) -> None:
    quickly(mira, spring, typed(mira, spring, "review", **{"b-total": "12.50", "k-bounces": "2.5"}))
    row = Campaign.objects.get()
    assert (row.budget, row.brake) == ({"total": 12_500_000}, {"bounces": 2.5})
    quickly(mira, spring, typed(mira, spring, "review", **{"b-total": ""}))
    assert Campaign.objects.get().budget == {}


def test_the_sample_size_says_whether_there_are_enough(mira: Client, acme: Tenant, spring: UUID) -> None:
    said = mira.get(part(spring, "sample_size"), headers={"HX-Request": "true"}).content.decode()
    assert "Each would get about 1: only a larger difference will show." in said


class TestTests:
    def test_a_test_goes_to_those_who_are_named_marked(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        mira.post(part(spring, "test_send"), {"people": "rosa\notto\n"})
        assert Notification.objects.filter(source="test_send").count() == 2
        assert Run.objects.count() == 0

    def test_nobody_unknown_gets_one_and_nobody_else_either(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        mira.post(part(spring, "test_send"), {"people": "rosa\nnobody"})
        assert Notification.objects.count() == 0

    def test_who_may_only_look_sends_none(self, acme: Tenant, spring: UUID) -> None:
        vera = people.viewer("campaigns.view_campaign")
        assert vera.post(part(spring, "test_send"), {"people": "rosa"}).status_code in (403, 404)
        assert Notification.objects.count() == 0


class TestList:
    def test_it_shows_what_they_are_and_asks_little_however_many(
        self, mira: Client, acme: Tenant, spring: UUID
    ) -> None:
        mira.get(LIST)
        with counted() as one:
            said = mira.get(LIST).content.decode()
        assert ">VIP</span>" in said
        for _ in range(5):
            composing.duplicate_campaign(tenant=acme, campaign_id=spring, by="operator mira")
        with counted() as many:
            mira.get(LIST)
        assert len(many) == len(one)

    def test_it_shows_how_far_a_run_is_and_what_came_of_it(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        run = Run.objects.create(
            tenant_id=acme.id,
            campaign_id=spring,
            number=1,
            occurrence="now",
            stamp=1,
            definition={},
            people_before=clock.now(),
            audience_size=200,
        )
        Wave.objects.create(tenant_id=acme.id, run=run, position=0, seen=50)
        counts = {"count": 50, "sent": 50, "delivered": 48, "opened": 20, "clicked": 1}
        Slice.objects.create(tenant_id=acme.id, run=run, dimension="outcome", value="delivered:", **counts)
        said = mira.get(LIST).content.decode()
        assert '<progress max="100" value="25">25 %</progress> <span class="n-nowrap">50 of 200</span>' in said
        assert reverse("admin:campaigns_run_change", args=[run.id]) in said
        assert 'aria-label="48 delivered, 20 opened, 1 clicked"' in said

    def test_a_copy_is_made_by_a_post_only(self, mira: Client, spring: UUID) -> None:
        assert "Duplicate Spring" in mira.get(part(spring, "duplicate")).content.decode()
        assert Campaign.objects.count() == 1
        mira.post(part(spring, "duplicate"))
        assert sorted(Campaign.objects.values_list("name", flat=True)) == ["Spring", "Spring (copy)"]

    def test_what_is_archived_leaves_the_list_and_comes_back(self, mira: Client, spring: UUID) -> None:
        for away in (True, False):
            mira.post(part(spring, "put_away"))
            shown = [mira.get(LIST + query).context_data["cl"].result_count for query in ("", "?archived=only")]
            assert shown == ([0, 1] if away else [1, 0])

    @pytest.mark.parametrize(
        ("query", "found"),
        [("status=draft", 1), ("status=running", 0), ("owner=operator+otto", 1), ("owner=operator+mira", 0)],
    )
    def test_it_is_narrowed_by_status_and_owner(self, mira: Client, spring: UUID, query: str, found: int) -> None:
        cl = mira.get(f"{LIST}?{query}").context_data["cl"]
        assert cl.result_count == found

    def test_a_new_one_begins_with_what_has_to_be_known(self, mira: Client, acme: Tenant) -> None:
        data = {
            "tenant": acme.id,
            "name": "Summer",
            "mode": "live",
            "category": "marketing",
            "channels": ["sms", "push"],
        }
        answer = mira.post(reverse("admin:campaigns_campaign_add"), data)
        row = Campaign.objects.get()
        assert answer["Location"] == reverse("admin:campaigns_campaign_change", args=[row.id])
        assert (row.name, row.channels, row.created_by, row.status) == (
            "Summer",
            ["sms", "push"],
            "operator mira",
            "draft",
        )


def test_templates_and_segments_know_who_uses_them(acme: Tenant, spring: UUID) -> None:
    assert [(one.kind, one.name) for one in usage_of(tenant=acme, key="feed")] == [("campaign", "Spring")]
    found = sorted((one.user, one.recipient.user_id, one.channels) for one in usage.payloads(acme, "feed"))
    assert found == [("campaign Spring", name, (Channel.IN_APP,)) for name in ("bea", "otto", "rosa")]
    row: Any = stored.segment(acme.id, "vip")
    assert fields.usages(acme.id, [row.id]) == {row.id: ["campaign Spring"]}
    Campaign.objects.update(status="finished")
    assert usage_of(tenant=acme, key="feed") == ()
    assert fields.usages(acme.id, [row.id]) == {}
