"""A stream process of gunicorn's, its Redis, and clients on sockets."""

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
from django.db import connection

from apps.core import clock
from apps.inbox import pokes, services
from apps.inbox.tokens import mint
from notifier.local.redis import Redis as LocalRedis
from tests.integration import inbox_cast as cast

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
