"""A summary without a template, in the reader's language."""

from typing import Any

import pytest

from apps.core.enums import Channel
from apps.dispatch.plain_digests import plain


def said(
    total: int, names: list[str], others: int, name: str = "", channel: Channel = Channel.EMAIL, locale: str = "en"
) -> dict[str, str]:
    digest: dict[str, Any] = {"total": total, "actors": names, "others": others}
    items = [(f"Title {n}", 1) for n in range(min(total, 50))]
    return dict(plain(digest, items, name=name, channel=channel, locales=(locale, "en")))


@pytest.mark.parametrize(
    ("locale", "headline"),
    [
        ("en-GB", "Likes: Ann and 14 others"),
        ("de", "Likes: Ann und 14 weitere Personen"),
        ("ar-EG", "Likes: Ann وآخرون (14)"),
        ("fr", "Likes: Ann and 14 others"),
    ],
)
def test_the_headline_names_the_first_and_counts_the_others(locale: str, headline: str) -> None:
    assert said(15, ["Ann", "Bob"], 14, "Likes", locale=locale)["title"] == headline


def test_one_and_two_are_said_in_their_own_words() -> None:
    assert said(1, ["Ann"], 0, "Likes")["title"] == "Likes: Ann"
    assert said(2, ["Ann", "Bob"], 1, "Likes")["title"] == "Likes: Ann and 1 other"
    assert said(1, [], 0)["title"] == "1 new message"
    assert said(7, ["Ann"], 6)["title"] == "7 new messages"
    assert said(7, [], 0, "Orders", locale="de")["title"] == "Orders: 7 neue Nachrichten"


def test_the_list_is_as_long_as_the_channel_bears_newest_first() -> None:
    assert said(5, [], 0, channel=Channel.PUSH)["body"] == "• Title 4\n• Title 3\n• Title 2\nand 2 more"
    assert said(60, [], 0)["body"].endswith("• Title 0\nand 10 more")
    assert said(5, [], 0, channel=Channel.SMS) == {"title": "5 new messages", "body": "5 new messages"}


def test_what_came_often_says_how_often_and_long_lines_are_cut() -> None:
    digest = {"total": 4, "actors": [], "others": 0}
    body = plain(digest, [("x" * 200, 1), ("Ann wrote", 3)], name="", channel=Channel.EMAIL, locales=("en",))["body"]
    first, second = body.split("\n")
    assert first == "• Ann wrote (3)"
    assert len(second) == 162 and second.endswith("…")


def test_nothing_to_list_is_still_a_message() -> None:
    assert plain(
        {"total": 3, "actors": [], "others": 0}, [("", 1)], name="", channel=Channel.EMAIL, locales=("en",)
    ) == {
        "title": "3 new messages",
        "body": "3 new messages",
    }
