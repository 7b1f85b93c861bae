"""A queue that several tenants have work in: who has little there goes past the batches of others; batches are small."""

from collections.abc import Sequence

import pytest

from apps.core.types import Work
from apps.dispatch import draining
from apps.ledger import work as items
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.dispatch_cast import tenant
from tests.integration.test_ledger_claiming import waiting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
QUEUE = "send.marketing.email"
BESIDE = f"few.{QUEUE}"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """What `send_batch` was given, in order: how many of each tenant; all of it is done then."""
    seen: list[dict[str, int]] = []
    names = {tenant(slug): slug for slug in ("acme", "noisy", "third")}

    def sent(works: Sequence[Work], ends: float) -> None:
        counts: dict[str, int] = {}
        for work in works:
            counts[names[work.tenant_id]] = counts.get(names[work.tenant_id], 0) + 1
        seen.append(counts)
        items.remove(works)

    monkeypatch.setattr(draining, "send_batch", sent)
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    return seen


def test_who_has_little_of_a_batch_goes_first(batches: list[dict[str, int]]) -> None:
    waiting(200, slug="noisy", queue=QUEUE, due_in=-600)
    waiting(2, slug="acme", queue=QUEUE)
    assert draining.drain(QUEUE) == 202
    assert batches == [{"acme": 2}, {"noisy": 48}, *[{"noisy": 50}] * 3, {"noisy": 2}]


@pytest.mark.parametrize(("count", "due_in", "place"), [(10, -0.24, 4), (10, -0.26, 0), (11, -0.24, 0)])
def test_who_has_little_is_left_for_a_moment_to_those_who_look_for_them(
    batches: list[dict[str, int]], count: int, due_in: float, place: int
) -> None:
    waiting(200, slug="noisy", queue=QUEUE, due_in=-600)
    waiting(count, slug="acme", queue=QUEUE, due_in=due_in)
    assert draining.drain(QUEUE) == 200 + count
    assert batches.index({"acme": count}) == place


def test_nobody_is_left_to_others_where_nobody_has_much(batches: list[dict[str, int]]) -> None:
    waiting(10, slug="acme", queue=QUEUE, due_in=0)
    waiting(10, slug="third", queue=QUEUE, due_in=0)
    assert draining.drain(QUEUE) == 20
    assert batches == [{"acme": 10, "third": 10}]


def test_tenants_with_as_much_work_as_each_other_are_sent_together(batches: list[dict[str, int]]) -> None:
    waiting(20, slug="acme", queue=QUEUE)
    waiting(20, slug="third", queue=QUEUE)
    assert draining.drain(QUEUE) == 40
    assert batches == [{"acme": 20, "third": 20}]


def test_batches_are_large_where_one_tenant_has_been_alone_for_a_while(
    batches: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "SHARED_TURNS", 2)
    waiting(800, slug="noisy", queue=QUEUE, due_in=-600)
    assert draining.drain(QUEUE) == 800
    assert batches == [{"noisy": 50}, {"noisy": 50}, {"noisy": 500}, {"noisy": 200}]


def test_batches_are_small_again_when_somebody_comes(
    batches: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "SHARED_TURNS", 1)
    monkeypatch.setattr(draining, "BATCH_DEFAULT", 300)
    waiting(900, slug="noisy", queue=QUEUE, due_in=-600)
    waiting(1, slug="acme", queue=QUEUE, due_in=-1)
    assert draining.drain(QUEUE) == 901
    assert batches == [{"acme": 1}, {"noisy": 49}, {"noisy": 50}, {"noisy": 300}, {"noisy": 300}, {"noisy": 201}]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
def test_beside_the_batches_go_those_who_have_little(batches: list[dict[str, int]]) -> None:
    waiting(200, slug="noisy", queue=QUEUE, due_in=-600)
    waiting(11, slug="third", queue=QUEUE)
    waiting(10, slug="acme", queue=QUEUE)
    assert draining.drain(BESIDE) == 10
    assert batches == [{"acme": 10}]
    assert draining.drain(BESIDE) == 0


@pytest.mark.usefixtures("at_once")
def test_nothing_goes_beside_that_is_of_another_queue(batches: list[dict[str, int]]) -> None:
    waiting(1, slug="acme", queue="send.marketing.push")
    assert (draining.drain(BESIDE), batches) == (0, [])


@pytest.mark.usefixtures("at_once")
def test_what_comes_meanwhile_goes_with_it(batches: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    waiting(1, slug="acme", queue=QUEUE)
    send = draining.send_batch

    def then_more(works: Sequence[Work], ends: float) -> None:
        if not batches:
            waiting(1, slug="third", queue=QUEUE)
        send(works, ends)

    monkeypatch.setattr(draining, "send_batch", then_more)
    assert draining.drain(BESIDE) == 2
    assert batches == [{"acme": 1}, {"third": 1}]


def test_who_knocks_meanwhile_is_looked_for_a_moment_later(
    batches: list[dict[str, int]], rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bells of a flood cost a look in LOOK_SECONDS, and no more bells."""
    slept: list[float] = []

    def knocked(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            waiting(1, slug="acme", queue=QUEUE)
            assert (draining.drain(BESIDE), draining.drain(BESIDE)) == (0, 0)

    monkeypatch.setattr(draining, "sleep", knocked)
    rung.clear()
    assert (draining.drain(BESIDE), slept, batches, rung) == (1, [0.01, 0.01], [{"acme": 1}], [])


def test_who_knocked_is_rung_for_when_the_time_is_up(
    batches: list[dict[str, int]], rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(1, slug="acme", queue=QUEUE)
    send = draining.send_batch

    def for_long(works: Sequence[Work], ends: float) -> None:
        send(works, ends)
        assert draining.drain(BESIDE) == 0
        monkeypatch.setattr(draining, "monotonic", lambda: ends)

    monkeypatch.setattr(draining, "send_batch", for_long)
    rung.clear()
    assert (draining.drain(BESIDE), batches, rung) == (1, [{"acme": 1}], [BESIDE])
