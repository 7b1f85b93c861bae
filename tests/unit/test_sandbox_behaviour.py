"""Magic addresses, and what the sandbox's world does with a batch."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import phonenumbers
import pytest

from apps.channels.sandbox import record
from apps.channels.sandbox.behaviour import BEHAVIOURS, WORDS, behaviour_of
from apps.channels.sandbox.record import Record
from apps.channels.sandbox.store import Store
from apps.channels.sandbox.wire import SandboxAnswer, SandboxBatch, SandboxMessage
from apps.channels.sandbox.world import World


def test_a_word_means_the_same_on_every_channel() -> None:
    for behaviour in BEHAVIOURS:
        assert behaviour_of("email", f"{behaviour.word}@simulator.test") is behaviour
        assert behaviour_of("email", f"{behaviour.word.upper()}+bea@Simulator.test") is behaviour
        assert behaviour_of("push", f"sim:{behaviour.word}") is behaviour
        assert behaviour_of("push", f"sim:{behaviour.word}+bea") is behaviour
        assert behaviour_of("sms", behaviour.phone) is behaviour


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "bounce@example.com"),
        ("email", "rosa@simulator.test"),
        ("email", "bounce"),
        ("sms", "+15005550006"),
        ("sms", "+15005550007"),
        ("sms", "+493012345"),
        ("push", "bounce"),
        ("push", "sim:unheard"),
    ],
)
def test_everything_else_is_delivered(channel: str, address: str) -> None:
    assert behaviour_of(channel, address).word == "delivered"


def test_every_number_is_a_valid_one_and_stands_for_one_word() -> None:
    numbers = [behaviour.phone for behaviour in BEHAVIOURS]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)
    assert len(set(numbers)) == len(WORDS) == len(BEHAVIOURS)


class Scene:
    """A world with a record, and the answers it gave."""

    def __init__(self, path: Path, receipts_after: float | None = 1.0) -> None:
        self.path = path / "record.jsonl"
        self.store = Store(path / "store.sqlite3")
        self.record = Record(self.path)
        self.world = World(self.store, self.record, receipts_after)
        self.number = 0

    def close(self) -> None:
        self.store.close()
        self.record.close()

    def take(self, *words: str, channel: str = "email") -> tuple[int, str, list[tuple[str, float | None]]]:
        """The status, what happens to the connection, and per message its error and wait."""
        messages = []
        for word in words:
            self.number += 1
            address = f"{word}@simulator.test"
            messages.append(
                SandboxMessage(f"at_{self.number}", f"dl_{word}", "acme", "critical", address, "", "", {"text": "4711"})
            )
        answer = self.world.take(channel, SandboxBatch("sandbox-email", messages))
        results = []
        if answer.reply.status == 200:
            found = msgspec.json.decode(answer.reply.body, type=SandboxAnswer).results
            assert [result.reference for result in found] == [message.reference for message in messages]
            results = [(result.error, result.retry_after) for result in found]
        return answer.reply.status, answer.connection, results

    def judged(self) -> list[tuple[str, str, bool]]:
        return [(line.delivery, line.answer, line.taken) for line in record.read(self.path)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def test_it_answers_a_mixed_batch_message_by_message(scene: Scene) -> None:
    assert scene.take("delivered", "invalid", "optout", "flaky", "throttled", "bounce") == (
        200,
        "",
        [
            ("", None),
            ("invalid_address", None),
            ("opted_out", None),
            ("try_later", None),
            ("throttled", 2.0),
            ("", None),
        ],
    )
    assert scene.judged() == [
        ("dl_delivered", "accepted", True),
        ("dl_invalid", "invalid_address", False),
        ("dl_optout", "opted_out", False),
        ("dl_flaky", "try_later", False),
        ("dl_throttled", "throttled", False),
        ("dl_bounce", "accepted", True),
    ]


def test_it_is_flaky_twice_per_delivery(scene: Scene) -> None:
    answers = [scene.take("flaky", "flaky+other")[2] for _ in range(3)]
    assert answers == [[("try_later", None)] * 2, [("try_later", None)] * 2, [("", None)] * 2]


def test_it_throttles_a_whole_call_by_status_once(scene: Scene) -> None:
    assert scene.take("throttled") == (429, "", [])
    assert scene.take("throttled") == (200, "", [("", None)])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["down"], (503, "down", [])),
        (["slow"], (200, "slow", [("", None)])),
        (["timeout"], (200, "drop", [("", None)])),
        (["ambiguous", "slow"], (200, "drop", [("", None)] * 2)),
        (["delivered", "down"], (503, "down", [])),
    ],
)
def test_the_worst_happens_to_the_whole_call(
    scene: Scene, words: list[str], expected: tuple[int, str, list[tuple[str, float | None]]]
) -> None:
    assert scene.take(*words) == expected
    is_taken = expected[0] == 200
    assert [taken for _, _, taken in scene.judged()] == [is_taken] * len(words)


def test_it_plans_receipts_for_what_it_took(scene: Scene) -> None:
    scene.take("delivered", "bounce", "softbounce", "complaint", "ambiguous", "timeout", "invalid", "flaky")
    scene.take("down")
    (first,) = scene.store.messages(limit=1, delivery="dl_delivered")
    due = scene.store.due("sandbox-email", first.at + 5, 100)
    assert sorted((row.kind, round(row.due - first.at, 3), row.reference) for row in due) == [
        ("bounced", 1.0, "at_2"),
        ("complained", 2.0, "at_4"),
        ("delivered", 1.0, "at_1"),
        ("delivered", 1.0, "at_4"),
        ("delivered", 1.0, "at_5"),
        ("soft_bounced", 1.0, "at_3"),
    ]
    assert len({row.event_id for row in due}) == 6
    assert scene.store.due("sandbox-email", first.at + 0.9, 100) == []


def test_readers_open_and_clickers_follow_a_link_after_it_arrived(scene: Scene) -> None:
    scene.take("reader+rosa", "clicker+mira")
    (first,) = scene.store.messages(limit=1, delivery="dl_reader+rosa")
    due = scene.store.due("sandbox-email", first.at + 5, 100)
    assert sorted((row.reference, round(row.due - first.at, 3), row.kind) for row in due) == [
        ("at_1", 1.0, "delivered"),
        ("at_1", 2.0, "opened"),
        ("at_2", 1.0, "delivered"),
        ("at_2", 2.0, "opened"),
        ("at_2", 3.0, "clicked"),
    ]


def test_it_can_keep_silent(tmp_path: Path) -> None:
    scene = Scene(tmp_path, receipts_after=None)
    scene.take("delivered")
    assert scene.store.next_due() == {}
    scene.close()


def test_a_fault_makes_every_address_of_a_channel_behave_so(scene: Scene) -> None:
    scene.world.faults = {"sms": "down"}
    assert scene.take("delivered", channel="sms")[0] == 503
    assert scene.take("delivered", channel="email")[0] == 200


def test_it_keeps_the_newest_messages_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.channels.sandbox import store

    monkeypatch.setattr(store, "KEPT", 10)
    scene.take(*["delivered"] * 1005)
    scene.take("bounce")
    assert scene.store.count() == 11
    assert [row.behaviour for row in scene.store.messages(limit=2)] == ["bounce", "delivered"]


def test_the_record_hashes_content_the_same_however_it_is_ordered() -> None:
    assert record.content_hash({"a": "1", "b": "2"}) == record.content_hash({"b": "2", "a": "1"})
    assert record.content_hash({"a": "1"}) != record.content_hash({"a": "2"})


def test_reading_leaves_out_a_line_that_is_not_complete(scene: Scene) -> None:
    scene.take("delivered")
    with scene.path.open("ab") as file:
        file.write(b'{"time":1')
    assert scene.judged() == [("dl_delivered", "accepted", True)]
