"""The stream as it runs: gunicorn's own ASGI worker, a Redis of its own that may be killed, and clients on sockets."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from queue import Empty, Queue
from time import monotonic, sleep
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from django.core import signing
from django.db import connection

from apps.core import clock, ids
from apps.inbox import pokes, services
from apps.inbox.tokens import mint
from notifier.local.redis import Redis as LocalRedis
from tests.integration import inbox_cast as cast

pytestmark = pytest.mark.django_db(transaction=True)
SHOP = "https://shop.acme.example"
SOON = 10.0


class Client:
    """One open stream: what came so far is in `events`, one (event, data) each; None at its end."""

    def __init__(self, url: str, token: str, **headers: str) -> None:
        place = urlsplit(url)
        self._connection = HTTPConnection(place.netloc, timeout=60)
        self._connection.request("GET", f"{place.path}?{urlencode({'token': token})}", headers=headers)
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self.events: Queue[tuple[str, str] | None] = Queue()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        rest = b""
        with suppress(OSError, HTTPException):
            while chunk := self.answer.read1():
                *blocks, rest = (rest + chunk).split(b"\n\n")
                for block in blocks:
                    fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
                    if "event" in fields:
                        self.events.put((fields["event"], fields["data"]))
        self.events.put(None)

    def next(self, within: float = SOON) -> tuple[str, str] | None:
        return self.events.get(timeout=within)

    def rest(self, seconds: float = 0.7) -> list[tuple[str, str] | None]:
        found = []
        with suppress(Empty):
            while True:
                found.append(self.events.get(timeout=seconds))
        return found

    def hears_nothing(self, seconds: float = 0.7) -> bool:
        return not self.rest(seconds)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.answer.close()
        self._connection.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = LocalRedis(tmp_path_factory.mktemp("stream"), durable=False, say=str)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def url(redis, django_db_setup, tmp_path_factory):
    """Of a running stream process."""
    place = connection.settings_dict
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": re.sub(r"/[^/?]+($|\?)", rf"/{place['NAME']}\1", os.environ["DATABASE_URL"]),
        "REDIS_URL": redis.redis_url,
        "NOTIFIER_INBOX_ORIGINS": SHOP,
    }
    log = tmp_path_factory.mktemp("stream-log") / "stream.log"
    command = ["gunicorn", "notifier.asgi:application", "--worker-class", "asgi", "--workers", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "--preload", "--graceful-timeout", "2", "--no-control-socket"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(base, process, log)
        yield base
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        errors = [line for line in log.read_text().splitlines() if "error" in line.lower() or "Traceback" in line]
        assert [line for line in errors if "redis is away" not in line and "redis.exceptions" not in line] == []
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def connect(url):
    with ExitStack() as stack:

        def open_stream(tenant_id, recipient_id, *, seconds=600, **headers):
            token = token_for(tenant_id, recipient_id, seconds)
            client = Client(f"{url}/v1/inbox/stream", token, **headers)
            stack.callback(client.close)
            return client

        yield open_stream


@pytest.fixture(autouse=True)
def pokes_go_there(redis, settings, monkeypatch):
    settings.REDIS_URL = redis.redis_url
    monkeypatch.setattr(pokes, "_rest_until", 0.0)
    pokes._client.cache_clear()
    yield
    pokes._client.cache_clear()


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def rosa(acme):
    return cast.recipient(acme, "rosa")


def token_for(tenant_id, recipient_id, seconds=600):
    lasting = timedelta(seconds=seconds)
    return mint(tenant_id=tenant_id, recipient_id=recipient_id, expires_in=lasting, now=clock.now())[0]


def wait_until_it_answers(base, process, log):
    until = monotonic() + 30
    while monotonic() < until:
        try:
            if requests.get(f"{base}/healthz", timeout=1).status_code == 200:
                return
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
        sleep(0.1)
    pytest.fail(log.read_text())


def counts(unread, unseen):
    return ("counts", f'{{"unread_count":{unread},"unseen_count":{unseen}}}')


def give(tenant_id, recipient_id):
    item = cast.new_item(tenant_id, recipient_id)
    services.add_items([item])
    services.poke([recipient_id])
    return item


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
