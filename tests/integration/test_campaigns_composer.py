"""The composer's page: every tab is shown, every part is kept, and nobody's newer edit is overwritten."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.models import Recipient
from apps.audience.segments import keeping
from apps.campaigns import briefs, composing
from apps.campaigns.models import Campaign, Variant
from apps.core import clock
from apps.core.types import Tenant
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.test_campaigns_composing import values

pytestmark = pytest.mark.django_db

LIST = reverse("admin:campaigns_campaign_changelist")
TABS = ("audience", "content", "test", "delivery", "review")


@pytest.fixture
def acme() -> Tenant:
    return cast.tenant()


@pytest.fixture
def spring(acme: Tenant) -> UUID:
    cast.publish(acme, "spring", cast.sms("Hello {{ recipient.first_name | default: 'there' }}"))
    keeping.create_segment(tenant_id=acme.id, key="vip", name="Very important", rules={"everyone": True})
    said = values(
        name="Spring",
        channels=["sms"],
        audience={"include": {"segment": "vip"}, "exclude": None},
        variants=[{"name": "A", "template_key": "spring"}],
    )
    return composing.create_campaign(tenant=acme, values=said, by="operator mira", now=clock.now())


def page(id_: UUID, tab: str = "") -> str:
    return reverse("admin:campaigns_campaign_change", args=[id_]) + (f"?tab={tab}" if tab else "")


def part(id_: UUID, name: str, **query: str) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[id_], query=query or None)


def typed(client: Client, id_: UUID, tab: str, **changes: Any) -> dict[str, Any]:
    """What the browser would send: the form as it is shown, with changes."""
    context = client.get(page(id_, tab)).context_data
    data: dict[str, Any] = {"tab": tab, "version": str(context["campaign"].version)}
    for field in context["form"]:
        if (value := field.value()) not in (None, ""):
            data[field.html_name] = value
    return data | changes


def quickly(client: Client, id_: UUID, data: dict[str, Any]) -> Any:
    return client.post(page(id_, data["tab"]), data, headers={"HX-Request": "true"})


def test_the_list_says_the_time_on_everybodys_own_clock_and_when_it_begins(mira: Client, spring: UUID) -> None:
    rule = {"kind": "recurring", "start": "2035-03-02T09:00", "rule": "FREQ=DAILY", "zone": "recipient"}
    at = datetime(2035, 3, 3, 19, tzinfo=UTC)
    rows = Campaign.objects.filter(id=spring)
    rows.update(status="scheduled", schedule=rule, next_fire_at=at, next_wall="2035-03-04T09:00")
    said = mira.get(LIST).content.decode()
    assert "Sun 4 Mar 2035, 09:00 on everybody&#x27;s own clock" in said
    assert (
        'from <time class="n-time" data-moment datetime="2035-03-03T19:00:00+00:00">03 Mar 19:00 UTC</time> on' in said
    )
    rows.update(schedule=rule | {"zone": "Asia/Tokyo"})
    said = mira.get(LIST).content.decode()
    assert "03 Mar 19:00 UTC</time>" in said and "own clock" not in said


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_shown_and_kept_as_it_is(mira: Client, spring: UUID, tab: str) -> None:
    answer = mira.get(page(spring, tab))
    assert answer.status_code == 200
    assert 'aria-current="step"' in answer.content.decode()
    before = Campaign.objects.values().get()
    answer = mira.post(page(spring), typed(mira, spring, tab))
    assert (answer.status_code, answer["Location"]) == (302, page(spring, tab))
    assert Campaign.objects.values().get() == before


@pytest.mark.parametrize(
    ("rule", "undecided", "kept"),
    [("automatic", "first", "first"), ("automatic", "", "wait"), ("by_hand", "first", "wait")],
)
def test_what_the_rest_gets_where_none_is_clearly_better(
    mira: Client, spring: UUID, rule: str, undecided: str, kept: str
) -> None:
    assert "The rest gets the first variant, A." in mira.get(page(spring, "test")).content.decode()
    mira.post(page(spring), typed(mira, spring, "test", tries="1", rule=rule, undecided=undecided))
    assert Campaign.objects.get().test == {
        **{"share": 20, "metric": "clicked", "wait_minutes": 240},
        **{"rule": rule, "undecided": kept},
    }
    shown = mira.get(page(spring, "test")).content.decode()
    assert ("A to the rest if none is clearly better" in shown) == (kept == "first")


def test_autosave_keeps_the_part_and_answers_with_what_changed_on_the_page(mira: Client, spring: UUID) -> None:
    data = typed(mira, spring, "delivery", throttle="600", kind="at", start="2027-01-04T09:00", zone="recipient")
    answer = quickly(mira, spring, data)
    said = answer.content.decode()
    assert answer["HX-Trigger"] == "changed-delivery"
    assert 'id="version" value="2" hx-swap-oob="true"' in said
    assert "Mon 4 Jan 2027, 09:00 on everybody&#x27;s own clock" in said
    row = Campaign.objects.get()
    assert (row.throttle, row.version, row.changed_by) == (600, 2, "operator mira")
    assert row.schedule == {"kind": "at", "start": "2027-01-04T09:00", "zone": "recipient", "past": "send"}
    assert "HX-Trigger" not in quickly(mira, spring, data | {"version": "2"})


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(mira: Client, spring: UUID) -> None:
    answer = quickly(mira, spring, typed(mira, spring, "delivery", kind="at", start="", throttle="7"))
    assert "Not saved" in answer.content.decode()
    assert answer.context_data["form"].errors == {"start": ["When? A time is missing."]}
    assert Campaign.objects.get().throttle == 0


def test_somebody_elses_newer_edit_is_shown_and_stays(mira: Client, acme: Tenant, spring: UUID) -> None:
    data = typed(mira, spring, "delivery", throttle="600")
    composing.save_part(
        tenant=acme, campaign_id=spring, values=values(throttle=50), version=1, by="operator otto", now=clock.now()
    )
    for answer in (quickly(mira, spring, data), mira.post(page(spring), data)):
        said = answer.content.decode()
        assert "operator otto changed this campaign meanwhile" in said
        assert answer.context_data["stale"]["differs"] == [{"label": "People a minute", "mine": "600", "theirs": "50"}]
    assert Campaign.objects.get().throttle == 50
    mira.post(page(spring), data | {"over": "2"})
    assert Campaign.objects.get().throttle == 600


def test_without_scripts_a_save_goes_on_to_the_tab_that_was_asked_for(mira: Client, spring: UUID) -> None:
    answer = mira.post(page(spring), typed(mira, spring, "audience", kind="everyone", go="content"))
    assert (answer.status_code, answer["Location"]) == (302, page(spring, "content"))
    assert Campaign.objects.get().audience == {"include": {"everyone": True}, "exclude": None}


def test_exclusions_that_only_rules_can_say_are_kept_and_said(mira: Client, acme: Tenant, spring: UUID) -> None:
    rule = {"all": [{"segment": "vip"}, {"field": "locale", "op": "is", "value": "de"}]}
    audience = {"include": {"everyone": True}, "exclude": rule}
    composing.save_part(
        tenant=acme,
        campaign_id=spring,
        values=values(audience=audience),
        version=1,
        by="operator mira",
        now=clock.now(),
    )
    assert "Very important and locale is de" in mira.get(page(spring, "audience")).content.decode()
    quickly(mira, spring, typed(mira, spring, "audience", kind="some", groups=["segment:vip"]))
    assert Campaign.objects.get().audience == {"include": {"segment": "vip"}, "exclude": rule}
    quickly(mira, spring, typed(mira, spring, "audience", without_users="rosa\n rosa\notto"))
    assert Campaign.objects.get().audience["exclude"] == {"users": ["rosa", "otto"]}


def test_segments_stay_in_their_order(mira: Client, acme: Tenant, spring: UUID) -> None:
    keeping.create_segment(tenant_id=acme.id, key="also", name="Also", rules={"everyone": True})
    include = {"any": [{"segment": "vip"}, {"segment": "also"}, {"users": ["rosa"]}]}
    said = values(audience={"include": include, "exclude": None})
    composing.save_part(tenant=acme, campaign_id=spring, values=said, version=1, by="operator mira", now=clock.now())
    quickly(mira, spring, typed(mira, spring, "audience"))
    row = Campaign.objects.get()
    assert (row.audience["include"], row.version) == (include, 2)


def test_what_is_not_a_draft_is_shown_but_neither_changed_nor_offered(mira: Client, spring: UUID) -> None:
    data = typed(mira, spring, "delivery", throttle="600")
    Campaign.objects.update(status="in_review")
    answer = mira.get(page(spring, "delivery"))
    assert "it becomes a draft again" in answer.content.decode()
    assert "hx-post" not in answer.content.decode()
    mira.post(page(spring), data)
    assert Campaign.objects.get().throttle == 0
    mira.post(part(spring, "reopen"))
    assert Campaign.objects.get().status == "draft"


def test_variants_are_added_removed_and_get_texts_of_their_own(mira: Client, acme: Tenant, spring: UUID) -> None:
    mira.post(page(spring), typed(mira, spring, "content", do="add"))
    assert list(Variant.objects.order_by("position").values_list("name", "template_key")) == [
        ("A", "spring"),
        ("B", ""),
    ]
    mira.post(page(spring), typed(mira, spring, "content", do="own:1"))
    key = Variant.objects.get(position=1).template_key
    assert key == f"{composing.own_prefix(spring)}a"
    mira.post(page(spring), typed(mira, spring, "content", do="copy:0"))
    assert Variant.objects.get(position=0).template_key == f"{composing.own_prefix(spring)}b"
    assert Variant.objects.filter(is_own=True).count() == 2
    mira.post(page(spring), typed(mira, spring, "test", do="remove:0"))
    assert list(Variant.objects.values_list("position", "name", "template_key")) == [(0, "B", key)]


class TestParts:
    def test_the_funnel_counts_whom_it_reaches(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        people.person(acme, "rosa")
        people.person(acme, "otto")
        said = mira.get(part(spring, "reach"), headers={"HX-Request": "true"}).content.decode()
        assert "<strong>2</strong> match, <strong>0</strong> can be reached" in said
        assert 'id="brief" hx-swap-oob="innerHTML"' in said
        assert "<html" not in said
        assert "<html" in mira.get(part(spring, "reach")).content.decode()

    def test_the_summary_counts_anew_only_when_what_decides_was_changed(
        self, mira: Client, acme: Tenant, spring: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def brief() -> str:
            return str(mira.get(part(spring, "reach", brief="1"), headers={"HX-Request": "true"}).content.decode())

        people.person(acme, "rosa")
        assert "of 1 who match" in brief()
        people.person(acme, "otto")
        assert "of 1 who match" in brief()
        quickly(mira, spring, typed(mira, spring, "audience", kind="everyone"))
        assert "of 2 who match" in brief()
        monkeypatch.setattr(briefs, "quick", lambda: (_ for _ in ()).throw(briefs.RedisError("away")))
        people.person(acme, "bea")
        assert "of 3 who match" in brief()

    def test_some_people_are_shown_with_why(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        people.person(acme, "rosa")
        said = mira.get(part(spring, "people"), headers={"HX-Request": "true"}).content.decode()
        assert ">rosa</a>" in said
        assert ">out</span>" in said

    def test_the_preview_renders_for_a_person_and_remarks(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        people.person(acme, "rosa")
        said = mira.get(part(spring, "preview", person="rosa"), headers={"HX-Request": "true"}).content.decode()
        assert "Hello there" in said
        assert "1 part" in said
        said = mira.get(part(spring, "preview", person="nobody"), headers={"HX-Request": "true"}).content.decode()
        assert "Nobody has that user id." in said

    def test_it_says_who_reads_a_default(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        people.person(acme, "rosa")
        said = mira.get(part(spring, "fallbacks"), headers={"HX-Request": "true"}).content.decode()
        assert "1 people have no first_name: will read “there”" in said

    def test_the_waves_are_listed(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        people.person(acme, "rosa")
        quickly(mira, spring, typed(mira, spring, "delivery", kind="at", start="2127-01-04T09:00", zone="recipient"))
        said = mira.get(part(spring, "waves"), headers={"HX-Request": "true"}).content.decode()
        assert "One wave: UTC at Sat 4 Jan, 09:00 UTC." in said

    def test_an_audience_that_is_gone_is_said(self, mira: Client, acme: Tenant, spring: UUID) -> None:
        Campaign.objects.update(audience={"include": {"segment": "gone"}, "exclude": None})
        for name in ("reach", "people", "fallbacks"):
            said = mira.get(part(spring, name), headers={"HX-Request": "true"}).content.decode()
            assert "gone" in said


class TestAccess:
    def test_who_may_not_look_at_people_sees_numbers_only(self, acme: Tenant, spring: UUID) -> None:
        id_ = people.person(acme, "rosa")
        Recipient.objects.filter(id=id_).update(attributes={"first_name": "Rosalinde"})
        vera = people.viewer("campaigns.view_campaign")
        said = [
            vera.get(part(spring, name, **query), headers={"HX-Request": "true"}).content.decode()
            for name, query in (("people", {}), ("preview", {"person": "rosa"}), ("reach", {}))
        ]
        assert "Who may look at people sees examples here." in said[0]
        assert "Hello there" in said[1]
        assert "<strong>1</strong> match" in said[2]
        assert "rosa" not in "".join(said).lower()

    def test_who_may_not_write_templates_makes_none(self, acme: Tenant, spring: UUID) -> None:
        vera = people.viewer("campaigns.view_campaign", "campaigns.change_campaign")
        assert vera.post(page(spring), typed(vera, spring, "content", do="copy:0")).status_code == 403
        assert Variant.objects.get().template_key == "spring"

    def test_who_may_only_look_changes_nothing(self, acme: Tenant, spring: UUID) -> None:
        mira = people.mira()
        data = typed(mira, spring, "delivery", throttle="600")
        vera = people.viewer("campaigns.view_campaign")
        assert vera.get(page(spring)).status_code in (200, 404)
        assert vera.post(page(spring), data).status_code in (403, 404)
        assert vera.post(part(spring, "reopen")).status_code in (403, 404)
        assert vera.post(part(spring, "duplicate")).status_code in (403, 404)
        assert Campaign.objects.get().throttle == 0
