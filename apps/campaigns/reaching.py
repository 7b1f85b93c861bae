"""What `funnel` and `sampling` say, for the rooms below that show it (audience/segments/reach.py)."""

from collections.abc import Sequence
from uuid import UUID

from apps.audience.segments.compiling import Condition
from apps.audience.segments.reach import Funnel, Question, SamplePerson
from apps.campaigns import funnel, sampling


class Reacher:
    def funnel(self, tenant_id: UUID, condition: Condition, question: Question, *, within_ms: int) -> Funnel:
        return funnel.funnel(
            tenant_id,
            condition,
            channels=question.channels,
            category=question.category,
            event_type=question.event_type,
            now=question.now,
            within_ms=within_ms,
        )

    def sample(self, tenant_id: UUID, condition: Condition, question: Question, *, most: int) -> Sequence[SamplePerson]:
        return sampling.sample(
            tenant_id,
            condition,
            channels=question.channels,
            category=question.category,
            event_type=question.event_type,
            now=question.now,
            most=most,
        )
