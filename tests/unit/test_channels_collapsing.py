"""Names that newer messages take from older ones, in the forms that providers take; and whose fault a refusal is."""

import re
from uuid import UUID

import pytest

from apps.channels import blame
from apps.channels.collapsing import collapse_id, topic
from apps.core.enums import Category, Channel
from apps.core.types import OutboundMessage

ACME, GLOBEX = UUID(int=1), UUID(int=2)


def message(asked: str | None = None) -> OutboundMessage:
    content = {"title": "Hi"} | ({"collapse_id": asked} if asked is not None else {})
    delivery = "dl_06akp3c9tr7y5kq8h2m1v4w6xe"
    return OutboundMessage("at_1", delivery, "acme", Channel.PUSH, Category.SOCIAL, "", "", "", content)


def test_it_is_the_delivery_unless_somebody_asks() -> None:
    assert (collapse_id(message()), topic(message())) == (message().delivery, message().delivery)
    assert (collapse_id(message("orders-42")), topic(message("orders-42"))) == ("orders-42", "orders-42")
    assert collapse_id(message("")) == message().delivery


@pytest.mark.parametrize("asked", ["ä" * 33, "x" * 65, "🎉" * 17])
def test_what_is_too_long_becomes_its_digest(asked: str) -> None:
    assert re.fullmatch(r"[\w-]{43}", collapse_id(message(asked)))
    assert collapse_id(message(asked)) == collapse_id(message(asked))
    assert collapse_id(message(asked)) != collapse_id(message(asked + "x"))
    assert len(collapse_id(message(asked), most=32)) == 32


@pytest.mark.parametrize("asked", ["a b", "order:42", "ä", "x" * 33, "a/b", "a=b"])
def test_a_topic_is_always_one(asked: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", topic(message(asked)))


def test_sixty_four_bytes_stay_as_they_are() -> None:
    assert collapse_id(message("x" * 64)) == "x" * 64


def test_blame_counts_by_account_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    blame.forget_standings()
    assert [blame.is_ours(ACME) for _ in range(7)] == [False] * 5 + [True] * 2
    assert not blame.is_ours(GLOBEX)
    assert not blame.is_ours(ACME, "elsewhere")
    blame.note_success(ACME)
    assert not blame.is_ours(ACME)


def test_what_is_not_plain_needs_a_success_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    blame.forget_standings()
    start = blame.monotonic()
    assert blame.is_ours(ACME, is_plain=False)
    blame.note_success(ACME)
    for seconds, expected in [(590, False), (610, True)]:
        monkeypatch.setattr(blame, "monotonic", lambda seconds=seconds: start + seconds)
        assert blame.is_ours(ACME, is_plain=False) is expected
