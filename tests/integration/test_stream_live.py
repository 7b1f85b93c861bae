"""The stream as it runs: gunicorn's own ASGI worker, a Redis of its own that may be killed, and clients on sockets."""

from time import monotonic, sleep

import pytest
import requests
from django.core import signing

from apps.core import clock, ids
from apps.inbox import services
from tests.integration import inbox_cast as cast
from tests.integration.inbox_cast import acme as acme  # fixtures
from tests.integration.inbox_cast import rosa as rosa
from tests.integration.stream_cast import SHOP, SOON, counts, give, token_for
from tests.integration.stream_cast import connect as connect
from tests.integration.stream_cast import pokes_go_there as pokes_go_there
from tests.integration.stream_cast import redis as redis
from tests.integration.stream_cast import url as url

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_stream_begins_with_the_counts(connect, acme, rosa):
    give(acme, rosa)

    client = connect(acme, rosa, **{"Last-Event-ID": "whatever"})

    assert client.answer.status == 200
    assert client.answer.headers["Content-Type"] == "text/event-stream"
    assert client.answer.headers["Cache-Control"] == "no-store"
    assert client.next() == counts(1, 1)
    assert client.hears_nothing()


def test_a_second_tab_sees_a_new_item_and_what_the_first_did_with_it(connect, acme, rosa):
    tabs = [connect(acme, rosa), connect(acme, rosa)]
    assert [tab.next() for tab in tabs] == [counts(0, 0)] * 2

    began = monotonic()
    item = give(acme, rosa)
    assert [tab.next() for tab in tabs] == [counts(1, 1)] * 2
    assert monotonic() - began < 5  # milliseconds on an idle machine

    services.mark_read(tenant_id=acme, recipient_id=rosa, item_id=item.id, now=clock.now())
    assert [tab.next() for tab in tabs] == [counts(0, 0)] * 2


def test_three_clients_of_two_people_hear_only_their_own(connect, acme, rosa):
    otto = cast.recipient(acme, "otto")
    mine, also_mine, his = connect(acme, rosa), connect(acme, rosa), connect(acme, otto)
    assert [client.next() for client in (mine, also_mine, his)] == [counts(0, 0)] * 3

    give(acme, rosa)

    assert [mine.next(), also_mine.next()] == [counts(1, 1)] * 2
    assert his.hears_nothing()
    give(acme, otto)
    assert his.next() == counts(1, 1)
    assert mine.hears_nothing(0.3)
    assert also_mine.hears_nothing(0.3)


def test_a_token_of_another_tenant_shows_nothing_of_this_one(connect, acme, rosa):
    give(acme, rosa)

    assert connect(cast.tenant("beta"), rosa).next() == counts(0, 0)


def test_wrong_tokens_get_a_problem_and_nothing_else(url, acme, rosa):
    good = token_for(acme, rosa)
    claims = [acme.hex, rosa.hex, int(clock.now().timestamp()) + 600]
    wrong = {
        "missing": "",
        "forged": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "over": token_for(acme, rosa, -1),
        "for another purpose": signing.dumps(claims, salt="preferences.viewer"),
    }

    for name, token in wrong.items():
        answer = requests.get(f"{url}/v1/inbox/stream", params={"token": token}, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json"), name
        assert answer.json()["code"] == "inbox_token_invalid"
        assert answer.json()["instance"] == "/v1/inbox/stream"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_the_token_may_come_in_the_header(url, acme, rosa):
    headers = {"Authorization": f"Bearer {token_for(acme, rosa)}"}

    with requests.get(f"{url}/v1/inbox/stream", headers=headers, stream=True, timeout=10) as answer:
        assert answer.status_code == 200


def test_the_stream_ends_when_the_token_does(connect, acme, rosa):
    client = connect(acme, rosa, seconds=2)

    assert client.next() == counts(0, 0)
    assert client.next() == ("expired", "{}")
    assert client.next() is None


def test_many_pokes_become_few_events_and_the_last_one_is_true(connect, acme, rosa):
    client = connect(acme, rosa)
    assert client.next() == counts(0, 0)

    for _ in range(300):
        give(acme, rosa)

    events = [client.next()]
    while events[-1] != counts(300, 300):
        events.append(client.next())
    assert len(events) < 150
    assert client.rest() in ([], [counts(300, 300)]), (
        "a poke after the last count was read tells it once more, never another"
    )


def test_streams_survive_a_redis_that_dies_and_comes_back(connect, url, redis, acme, rosa):
    client = connect(acme, rosa)
    assert client.next() == counts(0, 0)

    redis.kill()
    give(acme, rosa)
    assert client.hears_nothing()
    assert requests.get(f"{url}/healthz", timeout=5).json()["status"] == "ok"
    redis.restart()

    assert client.next() == counts(1, 1)
    assert client.next() == counts(1, 1)  # once more, for what was not told while Redis was away
    give(acme, rosa)
    assert client.next() == counts(2, 2)


def test_a_stream_begins_without_redis_and_goes_on_with_it(connect, redis, acme, rosa):
    redis.kill()
    client = connect(acme, rosa)
    assert client.next() == counts(0, 0)

    redis.restart()

    assert client.next() == counts(0, 0)


def test_one_recipient_has_a_bounded_number_of_streams(connect, url, acme, rosa):
    clients = [connect(acme, rosa) for _ in range(20)]
    assert {client.next() for client in clients} == {counts(0, 0)}

    assert connect(acme, rosa).answer.status == 429

    assert connect(acme, cast.recipient(acme, "otto")).answer.status == 200
    clients.pop().close()
    until = monotonic() + SOON
    while connect(acme, rosa).answer.status == 429:
        assert monotonic() < until
        sleep(0.1)


def test_a_client_that_leaves_is_let_go(connect, url, acme, rosa):
    client = connect(acme, rosa)
    client.next()
    before = requests.get(f"{url}/healthz", timeout=5).json()["streams"]
    client.close()

    until = monotonic() + SOON
    while requests.get(f"{url}/healthz", timeout=5).json()["streams"] >= before:
        assert monotonic() < until
        sleep(0.05)


def test_listed_origins_may_listen_and_others_may_not(connect, url, acme, rosa):
    assert connect(acme, rosa, Origin=SHOP).answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "Access-Control-Allow-Origin" not in connect(acme, rosa, Origin="https://evil.example").answer.headers

    preflight = requests.options(f"{url}/v1/inbox/stream", headers={"Origin": SHOP}, timeout=5)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, SHOP)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/inbox", 404, "not_found"),
        ("GET", "/admin/", 404, "not_found"),
        ("POST", "/v1/inbox/stream", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_it_opens_no_other_door(url, method, path, status, code):
    answer = requests.request(method, f"{url}{path}", timeout=5)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_unknown_recipient_hears_zero(connect, acme):
    assert connect(acme, ids.new()).next() == counts(0, 0)
