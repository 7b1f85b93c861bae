"""What clients report, and the answer."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.problem_codes import Code


class EngagementBody(Body, frozen=True):
    """`token`: the `engagement_token` of the push payload. Or `delivery`: an id (`in_...`, `dl_...`) of the person whose inbox token
    authorizes the request."""

    kind: Literal["opened", "clicked", "dismissed"]
    token: Annotated[str, Meta(max_length=512)] = ""
    delivery: Annotated[str, Meta(max_length=64)] = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None


class EngagementsBody(Body, frozen=True):
    events: Annotated[list[EngagementBody], Meta(min_length=1, max_length=100)]


class RefusedEngagement(Answer):
    """`index`: its place in `events`."""

    index: int
    code: Code
    detail: str


class EngagementsAnswer(Answer):
    """`taken`: how many were stored. They count once however often they are sent."""

    taken: int
    refused: list[RefusedEngagement]
