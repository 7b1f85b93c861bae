"""Why, why not, when, and what would change it: the very decisions of the real path, walked forward in time. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import structs

from apps.core.types import Cap
from apps.routing.deciding import decide, sending
from apps.routing.decisions import Bundle, Decision, Hold, Send
from apps.routing.facts import Case, Stage
from apps.routing.flips import Flip, flip

MOST_STEPS = 30


def _has_room(_: Case) -> None:
    return None


def _opens(_: Case, __: Bundle) -> None:
    return None


@dataclass(frozen=True, slots=True)
class World:
    """What no case knows by itself. `full`: the frequency cap that has no room for it at `case.now`; `open_until`: when the bundle that
    it would join is summed up, None when none is open."""

    full: Callable[[Case], Cap | None] = _has_room
    open_until: Callable[[Case, Bundle], datetime | None] = _opens


@dataclass(frozen=True, slots=True)
class Explained:
    """`decision`: at `case.now`. `earliest`: when it, or a summary with it, would be sent; None: not at all. `changes`: the smallest
    that lead to a yes, in order, each with the case after the ones before; none for a yes."""

    case: Case
    decision: Decision
    earliest: datetime | None
    changes: tuple[Flip, ...]

    @property
    def rule(self) -> str:
        """The one that decides; empty for a plain yes."""
        return str(self.decision.because.get("rule", ""))


ALONE = World()


def explain(case: Case, world: World = ALONE) -> Explained:
    return Explained(case, judged(case, world), earliest(case, world), changes(case, world))


def judged(case: Case, world: World = ALONE) -> Decision:
    """What routing and then sending say at that moment. Caps are asked just before sending; what leads its bundle is sent."""
    decision = decide(case)
    if isinstance(decision, Bundle):
        decision = _joined(case, decision, world)
    if not isinstance(decision, Send):
        return decision
    gate = structs.replace(case, stage=case.stage if case.stage == Stage.FLUSH else Stage.GATE)
    sent = decide(gate)
    if not isinstance(sent, Send):
        return sent
    # summaries and critical messages count against no cap
    over = None if gate.wish.is_summary or gate.is_critical else world.full(gate)
    return decision if over is None else decide(structs.replace(gate, over=over))


def earliest(case: Case, world: World = ALONE) -> datetime | None:
    """Walks forward: quiet hours, waits, digests and groups, each judged again at its end."""
    for _ in range(MOST_STEPS):
        match judged(case, world):
            case Send():
                return case.now
            case Hold(until):
                case = structs.replace(case, now=until, stage=Stage.GATE, was_held=True)
            case Bundle(until=until):
                case = _summed_up(case, until)
            case _:
                return None
    return None


def changes(case: Case, world: World = ALONE) -> tuple[Flip, ...]:
    found: list[Flip] = []
    for _ in range(MOST_STEPS):
        step = flip(structs.replace(case, over=world.full(case)), judged(case, world))
        if step is None:
            break
        found.append(step)
        if step.then is None:
            break
        if step.code == "raise_cap":
            world = replace(world, full=_has_room)
        case = structs.replace(step.then, over=None)
    return tuple(found)


def _joined(case: Case, decision: Bundle, world: World) -> Decision:
    open_until = world.open_until(case, decision)
    if open_until is None:
        return sending(case) if decision.leads else decision
    return replace(decision, until=open_until)


def _summed_up(case: Case, at: datetime) -> Case:
    wish = structs.replace(case.wish, is_summary=True, parts=(case.wish.event_type,), expires_at=None)
    return structs.replace(case, now=at, stage=Stage.ROUTE, wish=wish, over=None, duplicate_of=None)
