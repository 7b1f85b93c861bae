"""The front door: POST /v1/notifications and its kin. Thin: decode, plan, accept, answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import clock
from apps.core.bodies import decode_bytes, read_body
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem, ProblemBody
from apps.core.types import Caller
from apps.ingest import examples, idempotency, services
from apps.ingest.answers import Accepted, BatchAccepted, BatchResult, Refusal, SeveralAccepted
from apps.ingest.bodies import BatchBody, BatchSchema, NotificationBody, NotificationItem
from apps.ingest.planning import Draft, Planned, draft, plan
from apps.ingest.several import plan_all
from apps.tenants.authentication import caller_of
from apps.tenants.throttles import charge

TAGS = ["Notifications"]
REPLAYED = {"Idempotent-Replayed": "true"}


class NotificationsView(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}
    throttle_cost = "deferred"
    takes_idempotency_key = True

    @extend_schema(
        operation_id="send_notification",
        summary="Send a notification",
        description="Accepts an event for one recipient, or for several of one event. `202` means that it is stored durably; the "
        "channels are a wish, and each channel's decision is on the timeline.",
        request=NotificationBody,
        responses={202: Accepted | SeveralAccepted, 404: ProblemBody, 409: ProblemBody, 422: ProblemBody},
        tags=TAGS,
        examples=examples.SEND,
    )
    def post(self, request: Request) -> Response:
        raw = read_body(request, settings.API_BODY_LIMIT)
        body = self.decoded(raw)
        caller = caller_of(request)
        charge(request, len(body.recipients or [None]))
        ticket, key = _ticket(request, caller, raw, body.idempotency_key)
        form = "single" if body.recipients is None else "several"
        try:
            with _people_only_if_new(body.recipient is not None) as conclude:
                planned = plan_all(caller, body, clock.now())
                answered = conclude(services.accept(caller, ticket, form, list(enumerate(planned)), []))
        except Problem as problem:
            if (earlier := services.replayed(ticket)) is None:
                raise problem from None
            return _answer(request, earlier, key)
        return _answer(request, answered, key)

    def decoded(self, raw: bytes) -> NotificationBody:
        return decode_bytes(raw, NotificationBody)


class NotificationBatchView(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}
    throttle_cost = "deferred"
    takes_idempotency_key = True

    @extend_schema(
        operation_id="send_notification_batch",
        summary="Send up to 1,000 different notifications",
        description="Each is judged by itself; the good ones are accepted in one transaction. Costs as many requests as it carries.",
        request=BatchSchema,
        responses={202: BatchAccepted, 409: ProblemBody, 422: ProblemBody},
        tags=TAGS,
        examples=examples.BATCH,
    )
    def post(self, request: Request) -> Response:
        raw = read_body(request, settings.API_BATCH_BODY_LIMIT)
        body = decode_bytes(raw, BatchBody)
        caller = caller_of(request)
        charge(request, len(body.notifications))
        ticket, key = _ticket(request, caller, raw, body.idempotency_key)
        drafts, problems = _draft_each(caller, body.notifications)
        with _people_only_if_new(any(d.item.recipient for _, d in drafts)) as conclude:
            planned = _plan_each(caller, drafts, problems)
            refused = [
                (place, problem.code.value, problem.detail, msgspec.to_builtins(problem.errors))
                for place, problem in sorted(problems.items())
            ]
            if not planned:
                if (earlier := services.replayed(ticket)) is not None:
                    return _answer(request, earlier, key)
                errors = [error for _, problem in sorted(problems.items()) for error in problem.errors]
                raise Problem(Code.VALIDATION_ERROR, "None of the notifications is valid.", errors=errors)
            answered = conclude(services.accept(caller, ticket, "batch", planned, refused))
        return _answer(request, answered, key)


@contextmanager
def _people_only_if_new(has_people: bool) -> Iterator[Callable[[services.Answered], services.Answered]]:
    """People sent along are stored together with their notifications, or not at all: neither a refusal nor a replay
    changes a profile. Without people acceptance is one statement and needs no transaction around it."""

    def conclude(answered: services.Answered) -> services.Answered:
        if has_people and answered.is_replay:
            transaction.set_rollback(True)
        return answered

    with transaction.atomic() if has_people else nullcontext():
        yield conclude


def _ticket(request: Request, caller: Caller, raw: bytes, in_body: str | None) -> tuple[services.Ticket, str]:
    key = idempotency.key_of(request, caller, in_body)
    ticket = services.Ticket(
        key=idempotency.scoped(request, caller, key),
        fingerprint=idempotency.fingerprint(raw),
        request_id=request.META["notifier.request_id"],
    )
    return ticket, key


def _draft_each(caller: Caller, raws: list[msgspec.Raw]) -> tuple[list[tuple[int, Draft]], dict[int, Problem]]:
    now = clock.now()
    drafts: list[tuple[int, Draft]] = []
    problems: dict[int, Problem] = {}
    for place, raw in enumerate(raws):
        try:
            drafts.append((place, draft(caller, decode_bytes(bytes(raw), NotificationItem), now)))
        except Problem as problem:
            problems[place] = problem.below(f"/notifications/{place}")
    return drafts, problems


def _plan_each(
    caller: Caller, drafts: list[tuple[int, Draft]], problems: dict[int, Problem]
) -> list[tuple[int, Planned]]:
    """Adds to `problems`, which are by position."""
    planned, unplanned = plan(caller, [d for _, d in drafts])
    for (place, _), refusal in zip(drafts, unplanned, strict=True):
        if refusal is not None:
            problems[place] = refusal.below(f"/notifications/{place}")
    return [(place, p) for (place, _), p in zip(drafts, planned, strict=True) if p]


def _answer(request: Request, answered: services.Answered, key: str) -> Response:
    stored, shown = answered.stored, answered.ids
    accepted = [
        Accepted(
            notification_id=id_,
            user_id=user_id if stored.form == "several" else None,
            status=status,
            timeline_url=timeline_url(request, id_),
            duplicate=id_ != first,
        )
        for id_, (_, user_id, first, status, _) in zip(shown, stored.items, strict=True)
    ]
    headers = {idempotency.HEADER: key, **(REPLAYED if answered.is_replay else {})}
    body: Any
    match stored.form:
        case "single":
            body = accepted[0]
        case "several":
            body = SeveralAccepted(notifications=accepted)
        case _:
            body = _batch(stored, accepted)
    return Response(body, status=202, headers=headers)


def _batch(stored: idempotency.Stored, accepted: list[Accepted]) -> BatchAccepted:
    results = [
        BatchResult(
            index=place,
            status=a.status,
            notification_id=a.notification_id,
            timeline_url=a.timeline_url,
            duplicate=a.duplicate,
        )
        for a, (place, *_) in zip(accepted, stored.items, strict=True)
    ]
    results += [
        BatchResult(
            index=place,
            status="refused",
            error=Refusal(code=code, detail=detail, errors=msgspec.convert(errors, list[FieldError])),
        )
        for place, code, detail, errors in stored.refused
    ]
    return BatchAccepted(
        accepted=len(accepted), refused=len(stored.refused), results=sorted(results, key=lambda r: r.index)
    )


def timeline_url(request: Request, shown: str) -> str:
    before, after = _timeline_path()
    return f"{settings.PUBLIC_URL}{before}{shown}{after}"


@cache
def _timeline_path() -> tuple[str, str]:
    """What stands before and after the id: a batch of 1,000 would look the same route up as often."""
    before, _, after = reverse("notification-timeline", args=["nt_id"]).partition("nt_id")
    return before, after
