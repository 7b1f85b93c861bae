"""Ringing beside the request."""

import os
from threading import Event

import pytest

from apps.dispatch import bells
from apps.dispatch.ringer import Ringer


def test_it_rings_for_everybody_who_asked_and_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, ...]] = []
    may_ring, is_done = Event(), Event()

    def ring(*queues: str) -> None:
        rung.append(queues)
        may_ring.wait(5)
        if len(rung) == 2:
            is_done.set()

    monkeypatch.setattr(bells, "ring", ring)
    ringer = Ringer()
    ringer.ask("route.social")
    while not rung:
        pass
    for _ in range(100):
        ringer.ask("route.social", "route.critical")
    may_ring.set()
    assert is_done.wait(5)
    assert rung == [("route.social",), ("route.critical", "route.social")]


def test_a_forked_process_gets_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Event()
    monkeypatch.setattr(bells, "ring", lambda *queues: heard.set())
    ringer = Ringer()
    ringer._pid = os.getpid() + 1
    ringer.ask("route.social")
    assert heard.wait(5)


def test_a_bug_in_ringing_does_not_silence_the_bells_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, ...]] = []
    is_done = Event()

    def ring(*queues: str) -> None:
        heard.append(queues)
        if len(heard) == 1:
            raise KeyError("no such transport")
        is_done.set()

    monkeypatch.setattr(bells, "ring", ring)
    ringer = Ringer()
    ringer.ask("route.social")
    while not heard:
        pass
    ringer.ask("route.critical")
    assert is_done.wait(5)
    assert heard == [("route.social",), ("route.critical",)]


def test_who_asks_for_much_keeps_nobody_from_being_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, ...]] = []
    may_ring, is_done = Event(), Event()

    def ring(*queues: str) -> None:
        rung.append(("few", *queues))
        may_ring.wait(5)

    def ring_on(*queues: str) -> None:
        rung.append(("many", *queues))
        is_done.set()

    monkeypatch.setattr(bells, "ring", ring)
    monkeypatch.setattr(bells, "ring_on", ring_on)
    ringer = Ringer()
    ringer.ask("route.critical")
    while not rung:
        pass
    ringer.ask_on("route.social", "route.marketing")
    ringer.ask("route.social")
    ringer.ask_on("route.social", "route.transactional")
    may_ring.set()
    assert is_done.wait(5)
    assert rung == [
        ("few", "route.critical"),
        ("few", "route.social"),
        ("many", "route.marketing", "route.transactional"),
    ]
