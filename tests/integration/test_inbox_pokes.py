"""Telling open streams: over Redis, after the commit, and never at the cost of the caller."""

import os
import signal
from time import monotonic

import pytest
from django.conf import settings
from django.db import transaction
from redis import Redis

from apps.core import ids
from apps.inbox import pokes
from notifier.local.redis import Redis as LocalRedis

ROSA, OTTO = ids.new(), ids.new()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Neither a client nor a rest of another test."""
    monkeypatch.setattr(pokes, "_rest_until", 0.0)
    pokes._client.cache_clear()
    yield
    pokes._client.cache_clear()


@pytest.fixture
def heard():
    """The channels that were poked so far."""
    client = Redis.from_url(settings.REDIS_URL)
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("ntf:inbox:*")
    pubsub.get_message(timeout=5)

    def listen():
        found = []
        while message := pubsub.get_message(timeout=0.2):
            found.append((message["channel"].decode(), message["data"]))
        return found

    yield listen
    pubsub.close()
    client.close()


@pytest.mark.django_db(transaction=True)
def test_each_recipient_is_poked_once_after_the_commit(heard):
    with transaction.atomic():
        pokes.poke([ROSA, OTTO, ROSA])
        assert heard() == []

    assert sorted(heard()) == sorted([(f"ntf:inbox:{ROSA.hex}", b""), (f"ntf:inbox:{OTTO.hex}", b"")])


@pytest.mark.django_db(transaction=True)
def test_nobody_is_poked_after_a_rollback(heard):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        pokes.poke([ROSA])
        raise ZeroDivisionError

    assert heard() == []


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_pokes_at_once_and_five_hundred_in_one_go(heard):
    people = [ids.new() for _ in range(500)]

    pokes.poke(people)

    assert {channel for channel, _ in heard()} == {pokes.channel_of(person) for person in people}


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_says_so_once_and_leaves_redis_alone_for_a_moment(settings, caplog, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    for _ in range(10):
        pokes.poke([ROSA])
    assert [record.message for record in caplog.records] == ["redis is away: open inbox streams were not told"]

    monkeypatch.setattr(pokes, "_rest_until", 0.0)
    pokes.poke([ROSA])
    assert len(caplog.records) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_connected", [True, False])
def test_a_redis_that_hangs_holds_nobody_up(is_connected, caplog, settings, tmp_path):
    server = LocalRedis(tmp_path, durable=False, say=str)
    server.start()
    settings.REDIS_URL = server.redis_url
    try:
        if is_connected:
            pokes.poke([ROSA])
        os.kill(server.pid, signal.SIGSTOP)
        began = monotonic()
        pokes.poke([ROSA])
        took = monotonic() - began
        pokes.poke([ROSA])
        took_again = monotonic() - began - took
    finally:
        server.kill()

    assert took < 2
    assert took_again < took
    assert len(caplog.records) == 1
