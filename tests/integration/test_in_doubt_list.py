"""What is in doubt, as operators see it: the page, home, the list of the API. Tenants apart, prices fixed, nothing of an address."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock, ids
from apps.core.enums import KeyMode, Scope
from apps.core.rows import fetch
from apps.core.types import Tenant
from apps.ledger.models import Delivery
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:ledger_indoubt_changelist")


def doubt(tenant: Tenant, channel: str = "sms", user: str = "rosa", **fields: Any) -> Delivery:
    """In doubt for a minute."""
    age = fields.pop("age", timedelta(minutes=1))
    note = cast.notification(tenant, cast.person(tenant, user), age=age, category=fields.pop("category", "critical"))
    known = {"status": "unknown", "reason": "in_doubt", "ended_at": note.created_at}
    return cast.delivery(note, channel, **known | fields)


def planned(of: Delivery, move: str = "resend", kind: str = "doubt", phase: int = 0) -> None:
    from apps.ledger.models import Notification

    note = Notification.objects.get(id=of.notification_id)
    row = cast.work(note, id=of.id, kind=kind, move=move, channel=of.channel, due=timedelta(seconds=20))
    type(row).objects.filter(id=row.id).update(phase=phase)


def ask(tenant: Tenant, query: str = "", *, scope: Scope = Scope.OPERATOR) -> Any:
    key = create_api_key(tenant=tenant, name="ops", mode=KeyMode.TEST, scopes=[scope])
    return Client().get(f"/v1/deliveries/in-doubt{query}", headers={"Authorization": f"Bearer {key.token}"})


def listed(answer: Any) -> list[str]:
    return [row["delivery_id"] for row in answer.json()["data"]]


def shown(client: Client, query: str = "") -> str:
    text = client.get(PAGE + query).content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_the_api_tells_what_is_planned(acme: Tenant) -> None:
    one = doubt(acme, duplicate_possible=True)
    planned(one)
    (row,) = ask(acme).json()["data"]
    at = row["next"].pop("at")
    assert row == {
        "delivery_id": ids.show(ids.DELIVERY, one.id),
        "notification_id": ids.show(ids.NOTIFICATION, one.notification_id),
        "channel": "sms",
        "category": "critical",
        "account": "sandbox-sms",
        "duplicate_possible": True,
        "since": row["since"],
        "next": {"move": "resend", "text": "It is sent once more."},
        "next_text": "It is sent once more.",
    }
    assert row["since"].startswith(f"{one.ended_at:%Y-%m-%dT%H:%M:%S}")
    assert at > clock.now().isoformat()


def test_it_says_when_nothing_is_planned_and_when_it_is_being_done(acme: Tenant) -> None:
    left, doing = doubt(acme), doubt(acme, "push", age=timedelta(seconds=5))
    planned(doing, "resend", "resend", phase=2)
    rows = ask(acme).json()["data"]
    assert [(row["delivery_id"], row["next"], row["next_text"]) for row in rows] == [
        (ids.show(ids.DELIVERY, doing.id), None, "It is being done right now."),
        (ids.show(ids.DELIVERY, left.id), None, "Nothing more is planned; a receipt may still settle it."),
    ]


def test_only_what_is_in_doubt_and_of_this_tenant(acme: Tenant) -> None:
    mine = doubt(acme)
    doubt(cast.acme("other"))
    note = cast.notification(acme, cast.person(acme))
    cast.delivery(note, "email", "sent")
    cast.delivery(note, "push", "failed", reason="rejected")
    assert listed(ask(acme)) == [ids.show(ids.DELIVERY, mine.id)]


def test_it_is_narrowed_and_paged(acme: Tenant) -> None:
    found = [
        doubt(acme, channel, category=category, age=timedelta(minutes=n))
        for n, (channel, category) in enumerate([("sms", "critical"), ("push", "critical"), ("sms", "transactional")])
    ]
    names = [ids.show(ids.DELIVERY, one.id) for one in found]
    assert listed(ask(acme)) == names
    assert listed(ask(acme, "?channel=sms")) == [names[0], names[2]]
    assert listed(ask(acme, "?category=critical")) == names[:2]
    assert listed(ask(acme, "?account=sandbox-push")) == [names[1]]
    assert listed(ask(acme, "?account=nobody&channel=sms")) == []
    first = ask(acme, "?limit=2").json()
    assert first["has_more"] is True
    second = ask(acme, f"?limit=2&cursor={first['next_cursor']}").json()
    assert ([row["delivery_id"] for row in second["data"]], second["has_more"]) == ([names[2]], False)


@pytest.mark.parametrize("query", ["?channel=fax", "?category=vital", "?account=%00", "?limit=0", "?cursor=!"])
def test_it_refuses_nonsense(acme: Tenant, query: str) -> None:
    answer = ask(acme, query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_it_refuses_who_may_not_operate(acme: Tenant) -> None:
    doubt(acme)
    assert ask(acme, scope=Scope.NOTIFICATIONS_READ).status_code == 403


@pytest.mark.parametrize("count", [1, 10, 50])
def test_a_page_costs_two_questions(acme: Tenant, count: int) -> None:
    for n in range(count):
        planned(doubt(acme, user=f"p{n}"))
    key = create_api_key(tenant=acme, name="ops", mode=KeyMode.TEST, scopes=[Scope.OPERATOR])
    headers = {"Authorization": f"Bearer {key.token}"}
    Client().get("/v1/deliveries/in-doubt", headers=headers)
    with statements(2):
        assert len(Client().get("/v1/deliveries/in-doubt?limit=50", headers=headers).json()["data"]) == count


def test_the_list_is_read_from_its_own_index(acme: Tenant) -> None:
    doubt(acme)
    connection.cursor().execute("SET LOCAL enable_seqscan = off")
    plan = fetch("EXPLAIN SELECT id FROM ledger_delivery WHERE reason = 'in_doubt' ORDER BY id DESC LIMIT 20", {})
    assert any("in_doubt" in line or "reason_idx" in line or "id_idx" in line for (line,) in plan), plan


def test_the_notification_says_that_a_second_copy_is_possible(acme: Tenant, mira: Client) -> None:
    one = doubt(acme, duplicate_possible=True)
    key = create_api_key(tenant=acme, name="r", mode=KeyMode.TEST, scopes=[Scope.NOTIFICATIONS_READ])
    name = ids.show(ids.NOTIFICATION, one.notification_id)
    body = Client().get(f"/v1/notifications/{name}", headers={"Authorization": f"Bearer {key.token}"}).json()
    assert [channel["duplicate_possible"] for channel in body["channels"]] == [True]
    page = mira.get(reverse("admin:ledger_notification_change", args=[name])).content.decode()
    assert "It may have arrived twice: it was sent again in doubt." in page


def test_the_page_lists_them_with_what_happens_next(acme: Tenant, mira: Client) -> None:
    left, asked = doubt(acme, "email", "otto"), doubt(acme, age=timedelta(seconds=1))
    planned(asked, "look_up")
    text = shown(mira)
    for words in (
        "The provider is asked whether it has it.",
        "Nothing more is planned; a receipt may still settle it.",
        "rosa",
        "otto",
        "sandbox-sms",
        "critical",
    ):
        assert words in text, words
    rows = [row.id for row in mira.get(PAGE).context_data["cl"].result_list]
    assert rows == [asked.id, left.id]
    narrowed = [row.id for row in mira.get(PAGE + "?channel=email").context_data["cl"].result_list]
    assert narrowed == [left.id]
    assert "acme.example" not in text


def test_a_row_leads_to_its_story(acme: Tenant, mira: Client) -> None:
    one = doubt(acme)
    answer = mira.get(reverse("admin:ledger_indoubt_change", args=[one.id]))
    name = ids.show(ids.NOTIFICATION, one.notification_id)
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"/{name}/change/#{ids.show(ids.DELIVERY, one.id)}")


def test_who_may_see_deliveries_may_see_the_page(acme: Tenant) -> None:
    doubt(acme)
    assert cast.viewer("ledger.view_delivery").get(PAGE).status_code == 200


def test_who_may_not_see_deliveries_sees_neither_page_nor_panel(acme: Tenant) -> None:
    doubt(acme)
    client = cast.viewer()
    assert client.get(PAGE).status_code == 403
    assert "in doubt" not in client.get(reverse("admin:index")).content.decode()


def test_home_counts_those_of_the_last_day(acme: Tenant, mira: Client) -> None:
    home = reverse("admin:index")
    assert "in doubt</a>" not in mira.get(home).content.decode()
    doubt(acme, age=timedelta(days=2))
    assert "in doubt</a>" not in mira.get(home).content.decode()
    doubt(acme)
    assert ">1 delivery is in doubt</a>" in mira.get(home).content.decode()
    doubt(acme, "push")
    assert ">2 deliveries are in doubt</a>" in mira.get(home).content.decode()


@pytest.mark.parametrize("count", [1, 10, 50])
def test_the_page_costs_as_many_statements_whatever_is_on_it(acme: Tenant, mira: Client, count: int) -> None:
    for n in range(count):
        planned(doubt(acme, user=f"p{n}"))
    mira.get(PAGE)
    with CaptureQueriesContext(connection) as seen:
        mira.get(PAGE)
    kinds = [query["sql"].split()[0] for query in seen]
    assert kinds == ["SELECT"] * 4, [query["sql"] for query in seen]


def test_what_is_not_an_id_leads_back(mira: Client, acme: Tenant) -> None:
    assert mira.get(reverse("admin:ledger_indoubt_change", args=["nonsense"])).status_code == 302
    assert isinstance(doubt(acme).id, UUID)
