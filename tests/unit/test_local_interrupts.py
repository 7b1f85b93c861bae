"""Signals that end a run: raised by the next pause and nowhere else, once."""

import signal
from collections.abc import Iterator

import pytest

from notifier.local import interrupts
from notifier.local.interrupts import Interrupted, listen, pause


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What `on_another` was told."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(interrupts, "_arrived", [])
    monkeypatch.setattr(interrupts, "_raised", False)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    told: list[str] = []
    listen(lambda: told.append("another"))
    yield told
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_is_raised_by_the_next_pause_once(others: list[str]) -> None:
    pause(0)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted) as raised:
        pause(0)
    assert raised.value.signal is signal.SIGTERM
    pause(0)
    assert others == []


def test_each_one_after_the_first_is_another_and_raises_nothing(others: list[str]) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.raise_signal(number)
    assert others == ["another", "another"]
    with pytest.raises(Interrupted) as raised:
        pause(0)
    assert raised.value.signal is signal.SIGHUP
    pause(0)


def test_who_ignores_hangups_goes_on_ignoring_them(others: list[str]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listen(lambda: None)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
