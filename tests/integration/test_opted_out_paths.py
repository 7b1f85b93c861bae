"""Whatever way a message takes, and whatever way the person says no at the last moment: it is not sent by that channel."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F

from apps.core import clock
from apps.core.enums import Category, Channel, DigestFrequency, OutcomeKind
from apps.core.types import Author, Change, Mute, Outcome, OwnQuietHours, QuietHours, Switch
from apps.ledger.models import Bundle
from apps.preferences import services
from apps.preferences.changing import change_choices
from tests.integration.dispatch_cast import ACCEPTED, Carrier, endpoint, notify, people, person, soon, states, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import SILENT, drained, event_type, later, reached
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db
SOCIAL = Category.SOCIAL
PUSH, EMAIL, SMS, IN_APP = Channel
BUSY = Outcome(OutcomeKind.TRANSIENT, "503")
GONE = Outcome(OutcomeKind.INVALID_ADDRESS, "unregistered")


def change(who: UUID, wanted: Change) -> None:
    change_choices(tenant_id=tenant(), recipient_id=who, change=wanted, by=Author("settings_page"))


def liked(who: UUID, **wish: object) -> None:
    content = {"title": "a", "body": "b"}
    notify([who], category=SOCIAL, event_type="post.liked", content=content, **{"channels": [PUSH]} | wish)  # type: ignore[arg-type]


def run() -> None:
    """Two hours go by."""
    for seconds in (0, 61, 61, 3_600, 3_600):
        later(seconds)
        Bundle.objects.all_tenants().update(flush_at=F("flush_at") - timedelta(seconds=seconds))
        drained(SOCIAL)
        for channel in (PUSH, SMS):
            drained(SOCIAL, channel)


def accepted(carrier: Carrier) -> UUID:
    """Not routed yet."""
    event_type("post.liked", category="social")
    liked(rosa := reached(PUSH))
    return rosa


def routed(carrier: Carrier) -> UUID:
    rosa = accepted(carrier)
    drained(SOCIAL)
    return rosa


def scheduled(carrier: Carrier) -> UUID:
    event_type("post.liked", category="social")
    liked(rosa := reached(PUSH), due_at=soon(3_000))
    return rosa


def in_a_batch(carrier: Carrier) -> UUID:
    event_type("post.liked", category="social")
    rosa = reached(PUSH)
    for other in people(5):
        endpoint(other, PUSH, f"token of {other}")
        liked(other)
    liked(rosa)
    drained(SOCIAL)
    return rosa


def retried(carrier: Carrier) -> UUID:
    rosa = routed(carrier)
    carrier.says = [BUSY, ACCEPTED]
    drained(SOCIAL, PUSH)
    return rosa


def in_doubt(carrier: Carrier) -> UUID:
    rosa = routed(carrier)
    carrier.says = [SILENT, ACCEPTED]
    drained(SOCIAL, PUSH)
    return rosa


def fallen_back(carrier: Carrier) -> UUID:
    event_type("post.liked", category="social", fallback=["sms", "push"])
    liked(rosa := reached(PUSH, SMS), channels=[SMS])
    carrier.says = [GONE, ACCEPTED]
    drained(SOCIAL)
    return rosa


def held(carrier: Carrier) -> UUID:
    """Through a night that ends with the choice itself."""
    event_type("post.liked", category="social")
    rosa, now = reached(PUSH), clock.now()
    minute = now.hour * 60 + now.minute
    night = QuietHours((minute - 60) % 1_440, (minute + 120) % 1_440)
    change(rosa, Change(quiet_hours=OwnQuietHours((night,))))
    liked(rosa)
    drained(SOCIAL)
    assert states() == [("push", "held", "quiet_hours")]
    return rosa


def in_a_digest(carrier: Carrier) -> UUID:
    event_type("post.liked", category="social")
    rosa = reached(PUSH)
    change(rosa, Change(switches=(Switch("post.*", "*", True, DigestFrequency.HOURLY),)))
    for _ in range(3):
        liked(rosa)
    drained(SOCIAL)
    assert {state[2] for state in states()} == {"in_digest"}
    return rosa


def one_click(who: UUID) -> None:
    services.switch_off({(tenant(), who, PUSH)}, topic="category:social", source="one_click")


PATHS = [accepted, routed, scheduled, in_a_batch, retried, in_doubt, fallen_back, held, in_a_digest]
WAYS: dict[str, Change] = {
    "channel": Change(switches=(Switch("*", "push", False),)),
    "exact": Change(switches=(Switch("post.liked", "push", False), Switch("*", "*", True))),
    "pause": Change(muted=(Mute("*", "*", clock.now() + timedelta(days=30)),)),
}


@pytest.mark.parametrize("way", [*WAYS, "one click"])
@pytest.mark.parametrize("path", PATHS)
def test_a_no_holds(carrier: Carrier, path: Callable[[Carrier], UUID], way: str) -> None:
    rosa = path(carrier)
    before = mine(carrier, rosa)
    # a digest of `post.*` would be the more exact word
    change(rosa, Change(cleared=frozenset({("post.*", "*")}), quiet_hours=OwnQuietHours(())))
    if way in WAYS:
        change(rosa, WAYS[way])
    else:
        one_click(rosa)
    run()
    assert mine(carrier, rosa) == before
    assert {status for channel, status, _ in states() if channel == "push"} <= {"skipped", "sent", "unknown"}


@pytest.mark.parametrize("path", PATHS)
def test_without_a_no_each_of_them_arrives(carrier: Carrier, path: Callable[[Carrier], UUID]) -> None:
    """Else the tests above would prove nothing."""
    rosa = path(carrier)
    before = mine(carrier, rosa)
    change(rosa, Change(quiet_hours=OwnQuietHours(())))
    run()
    assert mine(carrier, rosa) == before + 1


def mine(carrier: Carrier, who: UUID) -> int:
    """Messages to Rosa's device so far."""
    return sum(message.channel == PUSH and message.address == "token-1" for message in carrier.messages)


@pytest.mark.parametrize(("actor", "reason"), [("u_77", "actor_blocked"), ("u_12", ""), ("", "")])
def test_nothing_comes_of_an_actor_whom_they_blocked(carrier: Carrier, actor: str, reason: str) -> None:
    rosa, mira = reached(PUSH), person("mira")
    endpoint(mira, PUSH, "token-2")
    event_type("post.liked", category="social")
    change(rosa, Change(blocked_actors=frozenset({"u_77"})))
    for who in (rosa, mira):
        liked(who, actor_id=actor, channels=[PUSH, IN_APP])
    drained(SOCIAL)
    assert sorted(reason for _, _, reason in states()) == sorted([reason] * 2 + [""] * 2)
    run()
    assert len(carrier.messages) == (1 if reason else 2)


def test_an_actor_blocked_meanwhile_is_not_heard_either(carrier: Carrier) -> None:
    event_type("post.liked", category="social")
    liked(rosa := reached(PUSH), actor_id="u_77")
    drained(SOCIAL)
    change(rosa, Change(blocked_actors=frozenset({"u_77"})))
    run()
    assert (states(), carrier.messages) == ([("push", "skipped", "actor_blocked")], [])
