"""What the messages of a campaign run have in common is made once, and told apart where it differs."""

from datetime import UTC, datetime, timedelta

from msgspec import structs

from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, Priority, Reason
from apps.core.types import NotificationFacts
from apps.dispatch.facts import Facts

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RUN = ids.new()
SPRING = NotificationFacts(
    id=ids.new(),
    tenant_id=ids.new(),
    recipient_id=ids.new(),
    mode=KeyMode.TEST,
    category=Category.MARKETING,
    event_type="",
    template_key="spring",
    channels=(Channel.EMAIL,),
    priority=Priority.NORMAL,
    data={},
    content={},
    expires_at=NOW,
    actor_id="",
    object_id="",
    ordering_key="",
    broadcast_id=RUN,
    halt=Reason.PAUSED,
)


def test_those_of_a_run_share_their_wish() -> None:
    facts = Facts({}, {}, {}, {})
    first, second = (facts.case(structs.replace(SPRING, id=ids.new()), Channel.EMAIL, NOW).wish for _ in range(2))
    assert first is second
    assert (first.category, first.expires_at, first.halt) == (Category.MARKETING, NOW, Reason.PAUSED)


def test_each_wave_has_its_own_end_and_each_run_its_own_halt() -> None:
    facts = Facts({}, {}, {}, {})
    later = structs.replace(SPRING, expires_at=NOW + timedelta(hours=1))
    other = structs.replace(SPRING, broadcast_id=ids.new(), halt=None)
    wishes = [facts.case(n, Channel.EMAIL, NOW).wish for n in (SPRING, later, other, SPRING)]
    assert [(wish.expires_at, wish.halt) for wish in wishes] == [
        (NOW, Reason.PAUSED),
        (NOW + timedelta(hours=1), Reason.PAUSED),
        (NOW, None),
        (NOW, Reason.PAUSED),
    ]


def test_without_a_run_nothing_is_shared() -> None:
    facts = Facts({}, {}, {}, {})
    ann, bob = (structs.replace(SPRING, broadcast_id=None, actor_id=name) for name in ("ann", "bob"))
    assert [facts.case(n, Channel.EMAIL, NOW).wish.actor_id for n in (ann, bob)] == ["ann", "bob"]
