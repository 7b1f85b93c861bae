"""Why, why not, what if: what would become of a message at a moment, and what became of one that was sent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience import selectors as audience
from apps.core import clock, grounds, ids
from apps.core.bodies import Answer
from apps.core.enums import Channel, DeliveryStatus, Reason, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Caller
from apps.dispatch.explaining import NAMES, OnChannel, Question, explain_channels
from apps.events import selectors as events
from apps.ingest.api.reading import notification_id
from apps.ledger import selectors as ledger
from apps.ledger.selectors import DeliverySummary
from apps.routing.decisions import Bundle, Hold, Send, Skip
from apps.tenants.authentication import caller_of

_DECISIONS = {DeliveryStatus.SKIPPED: "skip", DeliveryStatus.EXPIRED: "skip", DeliveryStatus.HELD: "hold"}


class FlipView(Answer):
    """One change in the way to a yes: `code` for programs, `text` for people. `until`: of what only time does."""

    code: str
    text: str
    until: datetime | None


class ExplainedChannel(Answer):
    """`decision`: send, hold, bundle (summed up with others), skip, or reserve (tried when the channel before it gives up). `rule`: the
    one that decides; null for a plain yes. `because`: what it rests on, with source and date. `bypassed`: the recipient's wish that a
    critical message overrides. `earliest`: when it, or a summary with it, would be sent; null: not at all. `changes`: the smallest that
    lead to a yes, in order."""

    channel: Channel
    decision: str
    text: str
    rule: str | None
    reason: str | None
    reason_text: str | None
    because: dict[str, Any]
    because_text: str | None
    bypassed: str | None
    earliest: datetime | None
    changes: list[FlipView]


class Explanation(Answer):
    """`at`: the moment asked about. Of a notification: what was decided then, by what was known then; `at` is when it was accepted."""

    user_id: str | None
    event_type: str | None
    category: str
    notification_id: str | None
    at: datetime
    channels: list[ExplainedChannel]


class ExplainView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="explain",
        summary="Explain why, why not, and when",
        description="With `user_id` and `event_type`: what would become of such a message at the moment `at`, decided by the very rules of "
        "sending, with the mode of the key. With `notification_id`: what became of that one, from the ledger. Writes nothing.",
        tags=["Notifications"],
        parameters=[
            OpenApiParameter("user_id", str),
            OpenApiParameter("event_type", str),
            OpenApiParameter("at", datetime, description="By default now."),
            OpenApiParameter("channels", str, description="With commas between them; by default the event type's."),
            OpenApiParameter("object_id", str, description="For event types that are about an object."),
            OpenApiParameter("actor_id", str),
            OpenApiParameter("notification_id", str, description="Instead of all the others."),
        ],
        responses={200: Explanation, 400: ProblemBody, 404: ProblemBody},
    )
    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        if shown := request.query_params.get("notification_id"):
            return Response(_past(caller, shown))
        return Response(_what_if(caller, request))


def _what_if(caller: Caller, request: Request) -> Explanation:
    user_id, key = _given(request, "user_id"), _given(request, "event_type")
    known = audience.recipient_ids(caller.tenant.id, [user_id]) if user_id.isprintable() else {}
    if user_id not in known:
        raise Problem(Code.NOT_FOUND, f"The user_id `{user_id[:100]}` is not known.")
    kind = events.event_type(caller.tenant.id, key)
    if kind is None:
        raise Problem(Code.NOT_FOUND, f"The event type `{key[:100]}` is not known.")
    at = _moment(request)
    question = Question(
        recipient_id=known[user_id],
        event_type=kind,
        at=at,
        channels=_channels(request),
        mode=caller.mode,
        actor_id=request.query_params.get("actor_id", "")[:128],
        object_id=request.query_params.get("object_id", "")[:128],
    )
    return Explanation(
        user_id=user_id,
        event_type=kind.key,
        category=kind.category,
        notification_id=None,
        at=at,
        channels=[_would(one) for one in explain_channels(question)],
    )


def _would(one: OnChannel) -> ExplainedChannel:
    decision = one.explained.decision if one.explained else None
    reason = decision.reason if isinstance(decision, Skip | Hold | Bundle) else None
    because = dict(decision.because) if decision else {}
    bypassed = decision.bypassed if isinstance(decision, Send) else None
    return ExplainedChannel(
        channel=one.channel,
        decision=one.word,
        text=one.text,
        rule=because.get("rule"),
        reason=reason,
        reason_text=reason.sentence if reason else None,
        because=because,
        because_text=grounds.rests_on(because) or None,
        bypassed=bypassed,
        earliest=one.explained.earliest if one.explained else None,
        changes=[FlipView(code=f.code, text=f.text, until=f.until) for f in one.explained.changes]
        if one.explained
        else [],
    )


def _past(caller: Caller, shown: str) -> Explanation:
    found = ledger.summary(tenant_id=caller.tenant.id, notification_id=notification_id(shown), now=clock.now())
    if found is None:
        raise Problem(Code.NOT_FOUND)
    person = audience.recipients([found.recipient_id]).get(found.recipient_id)
    return Explanation(
        user_id=person.user_id if person else None,
        event_type=found.event_type or None,
        category=found.category,
        notification_id=ids.show(ids.NOTIFICATION, found.id),
        at=found.created_at,
        channels=[_was(d) for d in found.deliveries],
    )


def _was(d: DeliverySummary) -> ExplainedChannel:
    """A bundle is told from a hold by its reason."""
    decision = _DECISIONS.get(d.status, "send")
    if d.status == DeliveryStatus.MERGED or d.reason in (Reason.GROUPED, Reason.IN_DIGEST):
        decision = "bundle"
    said = grounds.sentence(d.because, d.reason or d.bypassed) or d.status.sentence
    return ExplainedChannel(
        channel=d.channel,
        decision=decision,
        text=f"{NAMES[d.channel]} {d.status}: {said}",
        rule=d.because.get("rule"),
        reason=d.reason or None,
        reason_text=Reason(d.reason).sentence if d.reason else None,
        because=dict(d.because),
        because_text=grounds.rests_on(d.because) or None,
        bypassed=d.bypassed or None,
        earliest=None,
        changes=[],
    )


def _given(request: Request, name: str) -> str:
    said: str = request.query_params.get(name, "")
    if not said:
        detail = "Send `user_id` and `event_type`, or `notification_id`."
        raise Problem(Code.MISSING_FIELD, detail, pointer=f"#query/{name}")
    return said


def _moment(request: Request) -> datetime:
    said = request.query_params.get("at")
    if said is None:
        return clock.now()
    try:
        at = datetime.fromisoformat(said.replace(" ", "+"))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 2000 <= at.year <= 2100:
        detail = "`at` is a moment from 2000 to 2100 with its offset, e.g. 2026-11-03T22:30:00+01:00."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="#query/at")
    return at.astimezone(UTC)


def _channels(request: Request) -> tuple[Channel, ...]:
    words: Sequence[str] = [word for word in request.query_params.get("channels", "").split(",") if word]
    if unknown := [word for word in words if word not in set(Channel)]:
        detail = f"`{unknown[0][:20]}` is not a channel. Channels are {', '.join(Channel)}."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="#query/channels")
    return tuple(dict.fromkeys(Channel(word) for word in words))
