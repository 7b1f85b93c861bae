"""Rules tried: counted, what they lead to, and what is probably not meant."""

from uuid import UUID

from apps.audience.segment_bodies import (
    FunnelAnswer,
    PersonAnswer,
    SegmentPreviewAnswer,
    SegmentPreviewBody,
    WarningAnswer,
)
from apps.audience.segments import reach
from apps.audience.segments.compiling import Condition, compiled, without
from apps.audience.segments.counting import count
from apps.audience.segments.rules import parse
from apps.audience.segments.warnings import warnings_of
from apps.core import clock
from apps.core.enums import Channel

FUNNEL_MS = 2_500


def preview(tenant_id: UUID, body: SegmentPreviewBody) -> SegmentPreviewAnswer:
    """Raises Problem with pointers below `/rules` and `/exclude`."""
    now = clock.now()
    node = parse(body.rules, "/rules")
    condition = compiled(tenant_id, node, now)
    if body.exclude is not None:
        condition = without(condition, compiled(tenant_id, parse(body.exclude, "/exclude"), now))
    question = reach.Question(tuple(dict.fromkeys(body.channels or Channel)), body.category, body.event_type, now)
    funnel, people = _reached(tenant_id, condition, question, body.people)
    number = count(tenant_id, condition)
    return SegmentPreviewAnswer(
        count=number.number,
        exact=number.is_exact,
        funnel=funnel,
        people=people,
        warnings=[WarningAnswer(pointer=at, detail=said) for at, said in warnings_of(tenant_id, node)],
    )


def _reached(
    tenant_id: UUID, condition: Condition, question: reach.Question, most: int
) -> tuple[FunnelAnswer | None, list[PersonAnswer]]:
    reacher = reach.reacher()
    if reacher is None:
        return None, []
    funnel = FunnelAnswer.of(reacher.funnel(tenant_id, condition, question, within_ms=FUNNEL_MS))
    people = reacher.sample(tenant_id, condition, question, most=most) if most else ()
    return funnel, [PersonAnswer.of(person) for person in people]
