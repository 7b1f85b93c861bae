"""Campaigns while they are written: what is kept, what is refused, and whose change wins."""

from typing import Any
from uuid import UUID

import pytest

from apps.campaigns import composing
from apps.campaigns.definitions import CampaignValues, digest, snapshot
from apps.campaigns.models import Approval, Campaign, Variant
from apps.core import clock
from apps.core.problems import Problem
from apps.core.types import Tenant
from tests.integration import templates_cast as cast

pytestmark = pytest.mark.django_db

EVERYBODY = {"include": {"everyone": True}, "exclude": None}


@pytest.fixture
def acme() -> Tenant:
    return cast.tenant()


def values(**said: Any) -> CampaignValues:
    import msgspec

    return msgspec.convert(said, CampaignValues)


def made(acme: Tenant, **said: Any) -> UUID:
    return composing.create_campaign(tenant=acme, values=values(name="Spring", **said), by="mira", now=clock.now())


def saved(acme: Tenant, id_: UUID, version: int = 1, by: str = "mira", **more: Any) -> composing.Saved:
    reopens = more.pop("reopens", False)
    return composing.save_part(
        tenant=acme, campaign_id=id_, values=values(**more), version=version, by=by, now=clock.now(), reopens=reopens
    )


def refused(acme: Tenant, id_: UUID, version: int = 1, **more: Any) -> list[tuple[str, str]]:
    """The code and the places; and nothing was written."""
    before = Campaign.objects.filter(id=id_).values().get()
    with pytest.raises(Problem) as caught:
        saved(acme, id_, version, **more)
    assert Campaign.objects.filter(id=id_).values().get() == before
    return [(caught.value.code, error.pointer) for error in caught.value.errors]


def rows(id_: UUID) -> list[tuple[int, str, str, bool, int]]:
    found = Variant.objects.filter(campaign_id=id_).order_by("position")
    return list(found.values_list("position", "name", "template_key", "is_own", "weight"))


def approval(acme: Tenant, id_: UUID, decision: str) -> None:
    Approval.objects.create(
        tenant_id=acme.id,
        campaign_id=id_,
        version=1,
        digest="",
        snapshot={},
        people=1,
        asked_by="mira",
        decision=decision,
    )


def test_a_campaign_begins_as_a_draft_with_one_variant(acme: Tenant) -> None:
    id_ = made(acme)
    row = Campaign.objects.get(id=id_)
    assert (row.status, row.version, row.created_by, row.schedule) == ("draft", 1, "mira", {"kind": "now"})
    assert (row.channels, row.audience, row.editors) == (["email"], {}, ["mira"])
    assert rows(id_) == [(0, "A", "", False, 1)]


def test_a_part_is_set_and_the_rest_stays(acme: Tenant) -> None:
    id_ = made(acme, throttle=600)
    assert saved(acme, id_, audience=EVERYBODY, by="otto") == composing.Saved(2, ("audience",))
    row = Campaign.objects.get(id=id_)
    assert (row.audience, row.throttle, row.changed_by, row.editors) == (EVERYBODY, 600, "otto", ["mira", "otto"])


def test_saving_what_is_there_changes_nothing(acme: Tenant) -> None:
    id_ = made(acme, throttle=600)
    assert saved(acme, id_, throttle=600, name=" Spring ") == composing.Saved(1, ())


def test_what_becomes_of_the_rest_where_none_is_clearly_better(acme: Tenant) -> None:
    id_ = made(acme, test={"share": 10, "rule": "automatic"})
    assert Campaign.objects.get().test["undecided"] == "wait"
    assert refused(acme, id_, test={"rule": "by_hand", "undecided": "first"}) == [("contradiction", "/test/undecided")]
    assert saved(acme, id_, test={"share": 10, "undecided": "first"}).changed == ("test",)
    assert Campaign.objects.get().test["undecided"] == "first"


def test_somebody_elses_newer_version_is_never_overwritten(acme: Tenant) -> None:
    id_ = made(acme)
    saved(acme, id_, throttle=600, by="otto")
    assert refused(acme, id_, 1, throttle=10) == [("stale_version", "/version")]


def test_what_is_in_review_is_not_changed_unless_it_is_taken_back_and_then_its_approval_is_void(acme: Tenant) -> None:
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(status="in_review")
    for decision in ("asked", "returned"):
        approval(acme, id_, decision)
    assert refused(acme, id_, throttle=10) == []
    assert saved(acme, id_, throttle=10, reopens=True).version == 2
    assert Campaign.objects.get(id=id_).status == "draft"
    assert sorted(Approval.objects.values_list("decision", flat=True)) == ["returned", "void"]


def test_what_runs_cannot_be_changed(acme: Tenant) -> None:
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(status="running")
    assert refused(acme, id_, throttle=10, reopens=True) == []
    with pytest.raises(Problem) as caught:
        composing.reopen_campaign(tenant=acme, campaign_id=id_, by="mira")
    assert caught.value.code == "campaign_state"


def test_reopening_what_was_approved_begins_a_new_list_of_editors(acme: Tenant) -> None:
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(status="approved", next_fire_at=clock.now())
    approval(acme, id_, "approved")
    assert composing.reopen_campaign(tenant=acme, campaign_id=id_, by="otto") == 2
    row = Campaign.objects.get(id=id_)
    assert (row.status, row.editors, row.next_fire_at) == ("draft", ["otto"], None)
    assert Approval.objects.get().decision == "void"


def test_who_wrote_what_was_launched_without_an_approval_stays_its_editor(acme: Tenant) -> None:
    """Otherwise Mira might approve, when it has grown, what she wrote."""
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(status="scheduled", next_fire_at=clock.now())
    composing.reopen_campaign(tenant=acme, campaign_id=id_, by="otto")
    assert Campaign.objects.get(id=id_).editors == ["mira", "otto"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"category": "critical"}, [("critical_not_approved", "/category")]),
        ({"name": " "}, [("out_of_range", "/name")]),
        ({"event_type": "no.such"}, [("unknown_event_type", "/event_type")]),
        ({"ramp": [1, 10]}, [("out_of_range", "/ramp")]),
        ({"ramp": [10, 1, 100]}, [("out_of_range", "/ramp")]),
        ({"budget": {"pigeon": 1}}, [("unknown_field", "/budget/pigeon")]),
        ({"schedule": {"kind": "now", "start": "2027-01-04T09:00"}}, [("contradiction", "/schedule/start")]),
        ({"schedule": {"kind": "at"}}, [("missing_field", "/schedule/start")]),
        ({"schedule": {"kind": "at", "start": "tomorrow"}}, [("out_of_range", "/schedule/start")]),
        (
            {"schedule": {"kind": "at", "start": "2027-01-04T09:00", "zone": "CEST"}},
            [("invalid_timezone", "/schedule/zone")],
        ),
        ({"schedule": {"kind": "recurring", "start": "2027-01-04T09:00"}}, [("missing_field", "/schedule/rule")]),
        (
            {"schedule": {"kind": "recurring", "start": "2027-01-04T09:00", "rule": "FREQ=WEEKLY;BYDAY=XX"}},
            [("invalid_rule", "/schedule/rule")],
        ),
        (
            {"schedule": {"kind": "recurring", "start": "2027-01-04T09:00", "rule": "FREQ=DAILY;UNTIL=20260101"}},
            [("rule_never_fires", "/schedule/rule")],
        ),
        ({"audience": {"include": {"segment": "nobody"}}}, [("unknown_segment", "/audience/include/segment")]),
        ({"variants": [{"name": "A", "template_key": "none"}]}, [("unknown_template", "/variants/0/template_key")]),
        ({"variants": [{"name": "A"}, {"name": "a "}]}, [("contradiction", "/variants/1/name")]),
        ({"data": {"a": "\x00"}}, [("nul_byte", "/data")]),
    ],
)
def test_it_refuses_what_cannot_be_kept(acme: Tenant, said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert refused(acme, made(acme), **said) == found


def test_everything_that_is_wrong_is_said_at_once(acme: Tenant) -> None:
    wrong = refused(acme, made(acme), ramp=[1], schedule={"kind": "at"})
    assert wrong == [("validation_error", "/schedule/start"), ("validation_error", "/ramp")]


def test_other_tenants_campaigns_are_not_found(acme: Tenant) -> None:
    id_ = made(acme)
    beta = cast.tenant("beta")
    for call in (
        lambda: saved(beta, id_, throttle=1),
        lambda: composing.delete_draft(tenant=beta, campaign_id=id_),
        lambda: composing.duplicate_campaign(tenant=beta, campaign_id=id_, by="otto"),
        lambda: composing.archive_campaign(tenant=beta, campaign_id=id_, now=clock.now()),
    ):
        with pytest.raises(Problem) as caught:
            call()
        assert caught.value.code == "not_found"
    assert Campaign.objects.get().throttle == 0


class TestVariants:
    def test_they_are_set_by_position(self, acme: Tenant) -> None:
        cast.publish(acme, "spring", cast.sms("Hello"))
        id_ = made(acme)
        first = Variant.objects.get(campaign_id=id_).id
        saved(acme, id_, variants=[{"name": "A", "template_key": "spring", "weight": 2}, {"name": "B"}])
        assert rows(id_) == [(0, "A", "spring", False, 2), (1, "B", "", False, 1)]
        assert saved(acme, id_, 2, variants=[{"name": "Short"}]).changed == ("variants",)
        assert rows(id_) == [(0, "Short", "", False, 1)]
        assert Variant.objects.get(campaign_id=id_).id == first

    def test_a_template_of_the_campaign_is_known_as_its_own(self, acme: Tenant) -> None:
        id_ = made(acme)
        key = f"{composing.own_prefix(id_)}a"
        cast.draft(acme, key, cast.sms("Hello"))
        saved(acme, id_, variants=[{"name": "A", "template_key": key}])
        assert rows(id_) == [(0, "A", key, True, 1)]


def test_a_copy_is_a_draft_that_keeps_everything_but_the_send_once_key(acme: Tenant) -> None:
    cast.publish(acme, "spring", cast.sms("Hello"))
    id_ = made(
        acme,
        audience=EVERYBODY,
        variants=[{"name": "A", "template_key": "spring"}],
        expires_after_minutes=60,
        send_once_key="spring-2027",
    )
    Campaign.objects.filter(id=id_).update(status="finished", archived_at=clock.now())
    copy = Campaign.objects.get(id=composing.duplicate_campaign(tenant=acme, campaign_id=id_, by="otto"))
    assert (copy.name, copy.status, copy.version, copy.send_once_key) == ("Spring (copy)", "draft", 1, "")
    assert (copy.created_by, copy.archived_at, copy.launched_at) == ("otto", None, None)
    original = Campaign.objects.get(id=id_)
    before, after = (snapshot(one, Variant.objects.filter(campaign=one)) for one in (original, copy))
    assert {name for name in before if before[name] != after[name]} == {"name", "send_once_key"}


def test_what_is_busy_is_not_put_away(acme: Tenant) -> None:
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(status="running")
    with pytest.raises(Problem):
        composing.archive_campaign(tenant=acme, campaign_id=id_, now=clock.now())
    assert Campaign.objects.get().archived_at is None
    Campaign.objects.filter(id=id_).update(status="finished")
    composing.archive_campaign(tenant=acme, campaign_id=id_, now=clock.now())
    assert Campaign.objects.get().archived_at is not None


def test_only_a_draft_that_was_never_launched_is_deleted(acme: Tenant) -> None:
    id_ = made(acme)
    Campaign.objects.filter(id=id_).update(launched_at=clock.now())
    with pytest.raises(Problem):
        composing.delete_draft(tenant=acme, campaign_id=id_)
    assert Campaign.objects.count() == 1
    Campaign.objects.filter(id=id_).update(launched_at=None)
    composing.delete_draft(tenant=acme, campaign_id=id_)
    assert (Campaign.objects.count(), Variant.objects.count()) == (0, 0)


def test_a_snapshot_names_the_version_that_is_current_and_its_digest_follows_every_change(acme: Tenant) -> None:
    cast.publish(acme, "spring", cast.sms("Hello"))
    id_ = made(acme, variants=[{"name": "A", "template_key": "spring"}])
    row = Campaign.objects.get(id=id_)
    one = snapshot(row, Variant.objects.filter(campaign=row))
    assert (one["variants"][0]["version"], one["variants"][0]["template_key"]) == (1, "spring")
    assert UUID(one["variants"][0]["version_id"])
    cast.publish(acme, "spring", cast.sms("Hello there"))
    two = snapshot(row, Variant.objects.filter(campaign=row))
    assert two["variants"][0]["version"] == 2
    assert digest(one) != digest(two)
    assert digest(dict(reversed(one.items()))) == digest(one)
    assert len(digest(one)) == 64
