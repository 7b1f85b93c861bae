"""Segments and lists in the admin, without a browser: what is kept, who may, and what is tried while somebody types."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.models import Segment, SegmentMember
from apps.audience.segments import keeping, lists
from apps.audience.services import forget_recipient
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.tenants.auditing import COMMAND
from apps.tenants.models import AuditEntry
from tests.integration.admin_cast import acme, mira, person, viewer

pytestmark = pytest.mark.django_db
PRO = {"field": "attributes.plan", "op": "is", "value": "pro"}
RULE = '{"everyone": true}'
LIST = reverse("admin:audience_segment_changelist")


def page(row: Any, door: str = "change") -> str:
    return reverse(f"admin:audience_segment_{door}", args=[row.id])


def trying(row: Any, door: str) -> str:
    return reverse(f"admin:audience_segment_{door}", args=[row.tenant_id])


def said(client: Client, url: str, **fields: Any) -> str:
    return client.post(url, fields, follow=True).content.decode()


def test_an_empty_list_says_what_segments_are_for() -> None:
    acme()
    assert "A segment says who is meant" in mira().get(LIST).content.decode()


def test_a_segment_is_made_changed_and_archived() -> None:
    tenant, client = acme(), mira()
    made = {"tenant_id": str(tenant.id), "name": "Pros", "key": "pros", "kind": "rules"}
    assert "Who is meant" in said(client, reverse("admin:audience_segment_add"), **made)
    row = Segment.objects.of(tenant).get()
    assert (row.key, row.rules, row.version) == ("pros", {"everyone": True}, 1)
    assert "Saved." in said(client, page(row), name="Professionals", rules=json.dumps(PRO))
    row.refresh_from_db()
    assert (row.name, row.rules, row.version, row.count) == ("Professionals", PRO, 2, 0)
    assert "<td" in client.get(LIST).content.decode()
    assert "Archived." in said(client, page(row, "archive"))
    row.refresh_from_db()
    assert row.archived_at is not None
    assert client.post(page(row), {"name": "x", "rules": "{}"}).status_code == 403
    assert AuditEntry.objects.of(tenant).count() == 3


def test_what_is_wrong_is_said_and_nothing_is_changed() -> None:
    tenant, client = acme(), mira()
    row = keeping.create_segment(tenant_id=tenant.id, key="pros", name="Pros", rules=PRO)
    assert "The rules are not valid JSON: line 1, column 2." in said(client, page(row), name="x", rules="{")
    half = {"rules": '{"list": "\\ud800"}'}
    assert "The rules are not valid JSON: " in said(client, trying(row, "count"), **half)
    shown = said(client, page(row), name="x", rules=json.dumps({"all": [PRO | {"op": "like"}]}))
    assert "It was not saved" in shown
    assert "<code>/all/0/op</code>" in shown
    twice = {"tenant_id": str(tenant.id), "name": "Again", "key": "pros", "kind": "list"}
    assert "There is a segment or list `pros` already" in said(client, reverse("admin:audience_segment_add"), **twice)
    kept = Segment.objects.of(tenant).get()
    assert (kept.name, kept.rules, kept.version) == ("Pros", PRO, 1)


def test_a_list_is_filled_and_emptied() -> None:
    tenant, client = acme(), mira()
    rosa = person(tenant)
    row = keeping.create_segment(tenant_id=tenant.id, key="guests", name="Guests")
    shown = said(client, page(row, "members"), user_ids="rosa, nobody\nrosa", add="")
    assert "1 people put on the list." in shown
    assert "Nobody has these user ids: nobody." in shown
    assert list(SegmentMember.objects.of(tenant).values_list("recipient_id", flat=True)) == [rosa]
    person(tenant, "gone")
    lists.add_members(tenant_id=tenant.id, segment_id=row.id, user_ids=["gone"])
    forget_recipient(tenant=tenant, user_id="gone", by=COMMAND)
    assert list(SegmentMember.objects.of(tenant).values_list("recipient_id", flat=True)) == [rosa]
    assert "1 people taken off the list." in said(client, page(row, "members"), user_ids="rosa", remove="")
    assert SegmentMember.objects.of(tenant).count() == 0
    assert "Type from 1 to 10,000 user ids" in said(client, page(row, "members"), user_ids=" ,", add="")


def test_typing_is_answered_with_numbers_and_warnings() -> None:
    tenant, client = acme(), mira()
    person(tenant)
    row = keeping.create_segment(tenant_id=tenant.id, key="all", name="All", rules={"everyone": True})
    everyone = {"rules": '{"everyone": true}'}
    assert "<strong>1</strong> person" in said(client, trying(row, "count"), **everyone)
    reached = said(client, trying(row, "reach"), **everyone)
    assert "<strong>1</strong> of 1 are reached" in reached
    assert "Email: 1" in reached
    people = said(client, trying(row, "people"), **everyone)
    assert ">rosa</a>" in people
    assert "Email would" in people
    assert "Nobody has the attribute `plan`." in said(client, trying(row, "count"), rules=json.dumps(PRO))
    wrong = said(client, trying(row, "count"), rules='{"all": []}')
    assert 'data-pointer="/all"' in wrong
    assert client.get(trying(row, "count")).status_code == 405


def test_it_is_for_those_who_may() -> None:
    tenant = acme()
    row = keeping.create_segment(tenant_id=tenant.id, key="all", name="All", rules={"everyone": True})
    other = viewer("ledger.view_notification")
    assert other.get(LIST).status_code == 403
    assert other.post(trying(row, "count"), {"rules": RULE}).status_code in (403, 404)
    assert other.post(page(row, "archive")).status_code in (403, 404)
    assert Segment.objects.of(tenant).get().archived_at is None


def test_what_is_used_is_not_archived_and_nothing_is_made_of_itself() -> None:
    tenant = acme()
    inner = keeping.create_segment(tenant_id=tenant.id, key="inner", name="Inner", rules=PRO)
    outer = keeping.create_segment(tenant_id=tenant.id, key="outer", name="Outer", rules={"segment": "inner"})
    with pytest.raises(Problem) as caught:
        keeping.archive_segment(tenant_id=tenant.id, segment_id=inner.id)
    assert (caught.value.code, caught.value.detail) == (Code.CONFLICT, "It is used by segment outer.")
    for rules, code, pointer in (
        ({"segment": "outer"}, Code.SEGMENT_CYCLE, "/rules/segment"),
        ({"all": [PRO, {"segment": "inner"}]}, Code.SEGMENT_CYCLE, "/rules/all/1/segment"),
        ({"segment": "nobody"}, Code.UNKNOWN_SEGMENT, "/rules/segment"),
        ({"list": "outer"}, Code.UNKNOWN_SEGMENT, "/rules/list"),
    ):
        with pytest.raises(Problem) as caught:
            keeping.update_segment(tenant_id=tenant.id, segment_id=inner.id, name="Inner", rules=rules)
        assert (caught.value.code, caught.value.errors[0].pointer) == (code, pointer)
    assert Segment.objects.of(tenant).get(key="inner").rules == PRO
    keeping.archive_segment(tenant_id=tenant.id, segment_id=outer.id)
    keeping.archive_segment(tenant_id=tenant.id, segment_id=inner.id)
    with pytest.raises(Problem) as caught:
        keeping.create_segment(tenant_id=tenant.id, key="late", name="Late", rules={"any": [{"segment": "inner"}]})
    assert caught.value.code == Code.SEGMENT_ARCHIVED
    assert caught.value.errors[0].pointer == "/rules/any/0/segment"


def test_rules_have_no_members_by_hand() -> None:
    tenant = acme()
    row = keeping.create_segment(tenant_id=tenant.id, key="all", name="All", rules={"everyone": True})
    person(tenant)
    with pytest.raises(Problem) as caught:
        lists.add_members(tenant_id=tenant.id, segment_id=row.id, user_ids=["rosa"])
    assert caught.value.code == Code.CONFLICT
    assert SegmentMember.objects.of(tenant).count() == 0
