"""Bodies of /v1/webhook-endpoints."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from apps.core import ids
from apps.core.bodies import Answer, Body
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.selectors import AttemptFacts, EndpointFacts

Url = Annotated[str, Meta(min_length=1, max_length=2000, examples=["https://example.com/hooks/notifier"])]
Events = Annotated[
    list[WebhookType], Meta(min_length=1, max_length=20, examples=[["message.delivered", "message.bounced"]])
]
Description = Annotated[str, Meta(max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class WebhookEndpointBody(Body, frozen=True):
    """`events`: all but `notification.accepted` unless you say otherwise."""

    url: Url
    events: Events | None = None
    description: Description = ""


class WebhookEndpointPatch(Body, frozen=True):
    """What is left out stays. `on`: false stops all calls, and what was still to be told is told no more; true begins anew."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    on: bool | UnsetType = UNSET


class WebhookEndpointAnswer(Answer):
    """`failing_since`: nothing was taken since then. `previous_secret_until`: until then calls are signed with the secret before, too."""

    id: str
    url: str
    events: list[WebhookType]
    description: str
    on: bool
    off_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, found: EndpointFacts) -> "WebhookEndpointAnswer":
        return cls(**_said(found))


class WebhookEndpointCreated(WebhookEndpointAnswer):
    """`secret`: shown here and never again."""

    secret: str

    @classmethod
    def with_secret(cls, found: EndpointFacts, secret: str) -> "WebhookEndpointCreated":
        return cls(**_said(found), secret=secret)


class WebhookEndpointPage(Answer):
    data: list[WebhookEndpointAnswer]
    has_more: bool
    next_cursor: str | None


class WebhookAttemptAnswer(Answer):
    """`status`: of the answer; null without one, and then `error` says why. `next_at`: when it is tried again; null when it is done, or
    when ten tries failed."""

    event_id: str
    type: WebhookType
    number: int
    at: datetime
    took_ms: int
    success: bool
    status: int | None
    error: str | None
    next_at: datetime | None

    @classmethod
    def of(cls, found: AttemptFacts) -> "WebhookAttemptAnswer":
        return cls(
            event_id=ids.show(ids.WEBHOOK_EVENT, found.event_id),
            type=WebhookType(found.kind),
            number=found.number,
            at=found.at,
            took_ms=found.took_ms,
            success=found.is_success,
            status=found.status,
            error=found.error or None,
            next_at=found.next_at,
        )


class WebhookAttemptPage(Answer):
    data: list[WebhookAttemptAnswer]
    has_more: bool
    next_cursor: str | None


class WebhookReplayBody(Body, frozen=True):
    """`event_id` alone; or `start` and `end`, and then what the endpoint has taken already is left out unless `only_failed` is false."""

    event_id: Annotated[str, Meta(max_length=64)] | None = None
    start: Moment | None = None
    end: Moment | None = None
    only_failed: bool = True


class WebhookReplayAnswer(Answer):
    """`queued`: how many are being told. `rest_from`: there are more; send the request again with this as `start`."""

    queued: int
    rest_from: datetime | None


class WebhookRotationBody(Body, frozen=True):
    overlap_hours: Annotated[
        int, Meta(ge=0, le=168, description="How long calls are signed with the secret before, too.")
    ] = 24


class WebhookRotationAnswer(Answer):
    """`secret`: shown here and never again."""

    secret: str
    previous_secret_until: datetime | None


class WebhookTestBody(Body, frozen=True):
    type: WebhookType = WebhookType.MESSAGE_DELIVERED


class WebhookTestAnswer(Answer):
    """`event_id`: what to look for in the attempts, a moment from now."""

    event_id: str


def _said(found: EndpointFacts) -> dict[str, Any]:
    return {
        "id": ids.show(ids.WEBHOOK_ENDPOINT, found.id),
        "url": found.url,
        "events": [WebhookType(kind) for kind in found.events],
        "description": found.description,
        "on": found.is_on,
        "off_reason": found.off_reason or None,
        "failing_since": found.failing_since,
        "previous_secret_until": found.previous_until,
        "created_at": found.created_at,
    }
