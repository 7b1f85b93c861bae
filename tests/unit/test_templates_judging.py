"""When a staged version is taken back, and when there is not enough to say so."""

from uuid import UUID

import pytest

from apps.templates.judging import Tally, is_harmful, lowest, sentence
from apps.templates.parsed import Content, Version, bucket


@pytest.mark.parametrize(
    ("new", "old", "is_bad"),
    [
        ((0, 0), (0, 0), False),
        ((19, 19), (1000, 0), False),
        ((20, 20), (1000, 0), True),
        ((20, 1), (1000, 0), False),
        ((20, 2), (1000, 0), True),
        ((1000, 50), (1000, 0), False),
        ((1000, 51), (1000, 0), True),
        # the provider refuses everything: no fault of the new version
        ((100, 100), (100, 100), False),
        ((100, 60), (100, 55), False),
        ((100, 60), (100, 20), True),
        # of the old one nothing was sent meanwhile
        ((20, 2), (0, 0), True),
        ((20, 20), (3, 1), True),
        ((20, 4), (3, 1), False),
    ],
)
def test_it_is_harmful_when_enough_says_so(new: tuple[int, int], old: tuple[int, int], is_bad: bool) -> None:
    assert is_harmful(Tally(*new), Tally(*old)) is is_bad


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, table I: 81 of 263 -> 0.2553 to 0.3662
    assert round(lowest(Tally(263, 81)), 4) == 0.2553


def test_it_says_what_happened_in_words() -> None:
    said = sentence(2, Tally(24, 12, "`data.x` is missing."), 1, Tally(26, 0))
    assert said == (
        "12 of 24 messages (50 %) of version 2 failed, 0 of 26 messages (0 %) of version 1. Most often: `data.x` is missing. "
        "Those 12 were not sent; each says so in its timeline, and can be sent again from the dead letters."
    )
    assert "nothing of version 1 was sent meanwhile" in sentence(2, Tally(24, 12), 1, Tally())


def test_a_share_gets_it_and_nobody_falls_out_when_it_rises() -> None:
    new = Version(UUID("01890000-0000-7000-8000-000000000002"), 2, [])
    old = Version(UUID("01890000-0000-7000-8000-000000000001"), 1, [])
    people = [UUID(int=n) for n in range(20_000)]
    before: set[UUID] = set()
    for share, expected in ((100, 0.01), (500, 0.05), (5_000, 0.5), (9_999, 0.9999)):
        content = Content(old, None, staged=Content(new, None), share=share)
        got = {id for id in people if content.for_person(id).version is new}
        assert before <= got
        assert abs(len(got) / len(people) - expected) < 0.012
        before = got
    assert all(Content(old, None).for_person(id).version is old for id in people[:10])


def test_another_version_is_tried_on_others() -> None:
    people = [UUID(int=n) for n in range(10_000)]
    first, second = UUID(int=1), UUID(int=2)
    both = sum(bucket(first, id) < 1_000 and bucket(second, id) < 1_000 for id in people)
    assert 40 < both < 180
    assert bucket(UUID(int=1), UUID(int=2)) == bucket(UUID(int=1), UUID(int=2)) == 545
