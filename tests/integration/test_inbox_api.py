"""The feed over HTTP: tokens, pages, marks, and what browsers of other origins get."""

from datetime import timedelta

import pytest

from apps.core import clock, ids
from apps.core.enums import Scope
from apps.inbox import services
from apps.inbox.models import InboxItem
from apps.inbox.tokens import mint
from tests.integration import inbox_cast as cast
from tests.integration.inbox_cast import acme as acme  # fixtures
from tests.integration.inbox_cast import rosa as rosa

pytestmark = pytest.mark.django_db
SHOP = "https://shop.acme.example"


@pytest.fixture
def as_rosa(acme, rosa):
    return viewer(acme, rosa)


def viewer(tenant_id, recipient_id, **lasting):
    token, _ = mint(
        tenant_id=tenant_id, recipient_id=recipient_id, expires_in=timedelta(**lasting or {"hours": 1}), now=clock.now()
    )
    return {"Authorization": f"Bearer {token}"}


def test_a_backend_makes_a_token_and_the_browser_reads_with_it(client, acme, rosa):
    services.add_items([cast.new_item(acme, rosa, "Hello Rosa")])
    key = cast.api_key(acme, Scope.USERS_WRITE)

    made = client.post("/v1/users/rosa/inbox-tokens", {"expires_in": 60}, "application/json", headers=key)

    assert made.status_code == 201
    assert set(made.json()) == {"token", "expires_at"}
    read = client.get("/v1/inbox", headers={"Authorization": f"Bearer {made.json()['token']}"})
    assert read.status_code == 200
    assert cast.titles(read.json()) == ["Hello Rosa"]


def test_a_token_lasts_an_hour_unless_asked_otherwise(client, acme, rosa):
    made = client.post("/v1/users/rosa/inbox-tokens", {}, "application/json", headers=cast.api_key(acme, Scope.ADMIN))

    left = clock.datetime.fromisoformat(made.json()["expires_at"]) - clock.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


@pytest.mark.parametrize("seconds", [59, 86_401, "3600", None])
def test_it_refuses_a_life_out_of_range(client, acme, rosa, seconds):
    key = cast.api_key(acme, Scope.USERS_WRITE)

    answer = client.post("/v1/users/rosa/inbox-tokens", {"expires_in": seconds}, "application/json", headers=key)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/expires_in"


def test_it_makes_no_token_for_unknown_people_or_without_the_scope(client, acme, rosa):
    cast.recipient(cast.tenant("beta"), "bea")
    key, reader = cast.api_key(acme, Scope.USERS_WRITE), cast.api_key(acme, Scope.NOTIFICATIONS_WRITE)

    for user_id in ("nobody", "bea"):
        answer = client.post(f"/v1/users/{user_id}/inbox-tokens", {}, "application/json", headers=key)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")
    assert client.post("/v1/users/rosa/inbox-tokens", {}, "application/json", headers=reader).status_code == 403


def test_the_feed_shows_an_item_in_full(client, acme, rosa, as_rosa):
    item = cast.new_item(acme, rosa)
    services.add_items([item])

    answer = client.get("/v1/inbox", headers=as_rosa)

    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "private, no-store"
    body = answer.json()
    assert body.pop("data") == [
        {
            "id": ids.show("in", item.id),
            "event_type": "order.shipped",
            "category": "transactional",
            "title": "Your order is on its way",
            "body": "It arrives on Friday.",
            "action_url": "https://acme.example/o/1",
            "icon": "box",
            "created_at": InboxItem.objects.of(acme).get().created_at.isoformat().replace("+00:00", "Z"),
            "seen_at": None,
            "read_at": None,
            "archived_at": None,
        }
    ]
    assert body == {"has_more": False, "next_cursor": None, "unread_count": 1, "unseen_count": 1}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_page_takes_two_queries_however_long_it_is(client, acme, rosa, as_rosa, count, django_assert_num_queries):
    services.add_items([cast.new_item(acme, rosa) for _ in range(count)])

    with django_assert_num_queries(2):
        answer = client.get("/v1/inbox?limit=100", headers=as_rosa)

    assert len(answer.json()["data"]) == count


def test_counts_take_one_query(client, acme, rosa, as_rosa, django_assert_num_queries):
    services.add_items([cast.new_item(acme, rosa)])

    with django_assert_num_queries(1):
        answer = client.get("/v1/inbox/counts", headers=as_rosa)

    assert answer.json() == {"unread_count": 1, "unseen_count": 1}


def test_the_cursor_goes_on_where_the_page_ended_whatever_came_in_meanwhile(client, acme, rosa, as_rosa):
    services.add_items([cast.new_item(acme, rosa, f"Item {number}") for number in range(5)])
    first = client.get("/v1/inbox?limit=2", headers=as_rosa).json()

    services.add_items([cast.new_item(acme, rosa, "New")])
    second = client.get(f"/v1/inbox?limit=2&cursor={first['next_cursor']}", headers=as_rosa).json()
    third = client.get(f"/v1/inbox?limit=2&cursor={second['next_cursor']}", headers=as_rosa).json()

    assert [cast.titles(found) for found in (first, second, third)] == [
        ["Item 4", "Item 3"],
        ["Item 2", "Item 1"],
        ["Item 0"],
    ]
    assert [found["has_more"] for found in (first, second, third)] == [True, True, False]
    assert third["unread_count"] == 6


def test_filters_show_the_unread_or_the_archived(client, acme, rosa, as_rosa):
    read, away, fresh = (cast.new_item(acme, rosa, title) for title in ("Read", "Away", "Fresh"))
    services.add_items([read, away, fresh])
    assert post(client, as_rosa, f"{ids.show('in', read.id)}/read").json() == {"unread_count": 2, "unseen_count": 2}
    assert post(client, as_rosa, f"{ids.show('in', away.id)}/archive").json() == {"unread_count": 1, "unseen_count": 1}

    def titles(query):
        return cast.titles(client.get(f"/v1/inbox{query}", headers=as_rosa).json())

    assert titles("") == ["Fresh", "Read"]
    assert titles("?unread_only=true") == ["Fresh"]
    assert titles("?archived=true") == ["Away"]
    assert titles("?archived=false&unread_only=false") == ["Fresh", "Read"]


def test_every_mark_is_idempotent_and_answers_with_the_counts(client, acme, rosa, as_rosa):
    item = cast.new_item(acme, rosa)
    services.add_items([item, cast.new_item(acme, rosa)])
    shown = ids.show("in", item.id)
    steps = [
        ("seen", (2, 0)),
        (f"{shown}/read", (1, 0)),
        (f"{shown}/unread", (2, 0)),
        (f"{shown}/archive", (1, 0)),
        (f"{shown}/unarchive", (2, 0)),
        ("read-all", (0, 0)),
    ]

    for step, (unread, unseen) in steps:
        for _ in range(2):
            answer = post(client, as_rosa, step)
            assert (answer.status_code, answer.json()) == (200, {"unread_count": unread, "unseen_count": unseen}), step


@pytest.mark.parametrize("action", ["read", "unread", "archive", "unarchive"])
def test_it_does_not_find_items_of_others_or_ids_that_are_none(client, acme, rosa, as_rosa, action):
    beta = cast.tenant("beta")
    theirs = [cast.new_item(acme, cast.recipient(acme, "otto")), cast.new_item(beta, cast.recipient(beta, "rosa"))]
    services.add_items(theirs)
    unknown = [ids.show("in", item.id) for item in theirs] + [ids.show("dl", theirs[0].id), str(theirs[0].id), "x"]

    for item_id in unknown:
        answer = post(client, as_rosa, f"{item_id}/{action}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    untouched = {"seen_at": None, "read_at": None, "archived_at": None}
    assert list(InboxItem.objects.all_tenants().values(*untouched)) == [untouched, untouched]


def test_it_refuses_every_wrong_token_with_the_same_problem(client, acme, rosa):
    good = viewer(acme, rosa)["Authorization"]
    wrong = {
        "missing": {},
        "forged": {"Authorization": good[:-1] + ("A" if good[-1] != "A" else "B")},
        "over": viewer(acme, rosa, seconds=-1),
        "an API key": cast.api_key(acme, Scope.ADMIN),
        "basic": {"Authorization": good.replace("Bearer", "Basic")},
    }

    for name, headers in wrong.items():
        answer = client.get("/v1/inbox", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "inbox_token_invalid"), name
        assert answer["WWW-Authenticate"] == 'Bearer realm="inbox"'
    token = good.removeprefix("Bearer ")
    assert client.get(f"/v1/inbox?token={token}").status_code == 401


def test_an_inbox_token_opens_nothing_else(client, as_rosa):
    assert client.get("/v1/suppressions", headers=as_rosa).status_code == 401
    assert client.get("/v1/users/rosa/preferences", headers=as_rosa).status_code == 401


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("limit=0", "out_of_range", "#query/limit"),
        ("limit=101", "out_of_range", "#query/limit"),
        ("cursor=???", "invalid_cursor", "#query/cursor"),
        ("unread_only=1", "wrong_type", "#query/unread_only"),
        ("archived=yes", "wrong_type", "#query/archived"),
    ],
)
def test_it_refuses_queries_that_are_not_valid(client, as_rosa, query, code, pointer):
    answer = client.get(f"/v1/inbox?{query}", headers=as_rosa)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_listed_origin_may_read_and_mark_and_others_may_not(client, as_rosa, settings):
    settings.INBOX_ORIGINS = frozenset({SHOP})

    listed = client.get("/v1/inbox", headers=as_rosa | {"Origin": SHOP})
    refused = client.get("/v1/inbox", headers={"Origin": SHOP})
    other = client.get("/v1/inbox", headers=as_rosa | {"Origin": "https://evil.example"})

    assert (listed.status_code, listed["Access-Control-Allow-Origin"]) == (200, SHOP)
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, SHOP)
    assert "Access-Control-Allow-Origin" not in other
    assert all("Origin" in answer["Vary"] for answer in (listed, refused, other))


def test_a_preflight_needs_no_token(client, settings):
    settings.INBOX_ORIGINS = frozenset({SHOP})

    answer = client.options("/v1/inbox/seen", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Access-Control-Allow-Origin"] == SHOP
    assert answer["Access-Control-Allow-Methods"] == "GET, POST"


def test_no_other_door_answers_other_origins(client, acme, rosa, settings):
    settings.INBOX_ORIGINS = frozenset({SHOP})
    key = cast.api_key(acme, Scope.ADMIN) | {"Origin": SHOP}

    for answer in (
        client.post("/v1/users/rosa/inbox-tokens", {}, "application/json", headers=key),
        client.get("/v1/users/rosa/preferences", headers=key),
        client.get("/v1/suppressions", headers=key),
    ):
        assert answer.status_code < 300
        assert "Access-Control-Allow-Origin" not in answer


def test_a_page_that_loops_is_slowed_down_and_others_are_not(client, acme, rosa, as_rosa):
    otto = viewer(acme, cast.recipient(acme, "otto"))

    statuses = [client.get("/v1/inbox/counts", headers=as_rosa).status_code for _ in range(120)]

    assert set(statuses) == {200, 429}
    assert client.get("/v1/inbox/counts", headers=otto).status_code == 200


def post(client, headers, path):
    return client.post(f"/v1/inbox/{path}", headers=headers)
