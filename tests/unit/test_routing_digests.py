"""What a summary says: in order, each thing once, bounded, without secrets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from apps.routing.digests import MOST_BYTES, MOST_ITEMS, Digest, Item, data_of, digest_of, sum_up, without

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def item(minute: int = 0, actor: str = "", about: str = "", kind: str = "post.liked", **data: Any) -> Item:
    return Item(kind, "", {}, data, actor, about, NOON + timedelta(minutes=minute))


def summed(*items: Item, **more: Any) -> Digest:
    return sum_up(items, **{"kind": "group", "since": NOON} | more)


def test_items_are_in_the_order_of_time() -> None:
    found = summed(item(2, "c"), item(0, "a"), item(1, "b"))
    assert [i.actor_id for i in found.items] == ["a", "b", "c"]
    assert [a.id for a in found.actors] == ["a", "b", "c"]
    assert (found.total, found.types, found.others) == (3, {"post.liked": 3}, 0)


def test_the_same_thing_is_one_item_and_told_as_it_was_last() -> None:
    found = summed(item(0, "ann", "p1", n=1), item(1, "bob", "p1"), item(2, "ann", "p1", n=2))
    assert [(i.actor_id, i.count, dict(i.data)) for i in found.items] == [("bob", 1, {}), ("ann", 2, {"n": 2})]
    assert found.total == 3
    assert found.object_id == "p1"


def test_what_names_neither_actor_nor_object_stays_itself() -> None:
    found = summed(item(0), item(1))
    assert [i.count for i in found.items] == [1, 1]


def test_actors_have_the_name_that_the_data_gives() -> None:
    found = summed(item(0, "u1", actor_name=" Ann "), item(1, "u2", actor_name=7), item(2, "u3", actor_name=""))
    assert [a.name for a in found.actors] == ["Ann", "u2", "u3"]


def test_the_newest_are_told_and_the_rest_is_a_number() -> None:
    found = summed(*(item(n, f"a{n}") for n in range(120)))
    assert [i.actor_id for i in found.items] == [f"a{n}" for n in range(70, 120)]
    assert len(found.items) == MOST_ITEMS
    assert (found.total, len(found.actors), found.others) == (120, 50, 70)


def test_it_has_a_bound_in_bytes() -> None:
    found = summed(*(item(n, f"a{n}", text="x" * 5_000) for n in range(40)))
    assert len(msgspec.json.encode(data_of(found))) <= MOST_BYTES
    assert 10 <= len(found.items) < 14
    assert found.items[-1].actor_id == "a39"
    assert found.total == 40
    huge = summed(item(0, "ann", text="x" * MOST_BYTES))
    assert [(i.actor_id, dict(i.data)) for i in huge.items] == [("ann", {})]


def test_secrets_are_left_out() -> None:
    found = summed(
        item(0, code="1234", text="hi"), item(1, kind="other", code="1"), sensitive={"post.liked": ("code",)}
    )
    assert [dict(i.data) for i in found.items] == [{"text": "hi"}, {"code": "1"}]


def test_a_name_that_is_a_secret_is_not_told() -> None:
    found = summed(item(0, "u1", actor_name="Ann"), sensitive={"post.liked": ("actor_name",)})
    assert [a.name for a in found.actors] == ["u1"]


def test_it_continues_an_earlier_one() -> None:
    first = summed(*(item(n, f"a{n}") for n in range(60)))
    found = summed(item(61, "z"), item(62, "a59"), before=first, since=NOON + timedelta(hours=1))
    assert (found.total, found.types, found.since) == (62, {"post.liked": 62}, NOON)
    assert [(i.actor_id, i.count) for i in found.items[-2:]] == [("z", 1), ("a59", 2)]
    assert len(found.actors) + found.others == 61


def test_it_can_be_stored_and_read_again() -> None:
    found = summed(item(0, "ann", "p1", n=1), frequency="daily", group="post.liked/p1")
    assert digest_of(msgspec.json.decode(msgspec.json.encode(data_of(found)))) == found
    assert digest_of({}) is None


def test_what_was_switched_off_meanwhile_is_left_out() -> None:
    found = summed(item(0, "ann"), item(1, "bob", kind="x"), item(2, "cem", kind="x"), item(3, "ann", kind="x"))
    rest = without(found, {"post.liked"}, set())
    assert (rest.total, rest.types, [i.actor_id for i in rest.items]) == (3, {"x": 3}, ["bob", "cem", "ann"])
    assert [a.id for a in rest.actors] == ["ann", "bob", "cem"]
    rest = without(found, {"x"}, set())
    assert [a.id for a in rest.actors] == ["ann"]
    rest = without(found, set(), {"ann"})
    assert (rest.total, rest.types) == (2, {"post.liked": 0, "x": 2})
    assert [a.id for a in rest.actors] == ["bob", "cem"]
