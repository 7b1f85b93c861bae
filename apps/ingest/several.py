"""A body with one recipient or several, as one item for each; all of them planned, or none."""

from datetime import datetime

import msgspec

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller
from apps.ingest.bodies import NotificationBody, NotificationItem
from apps.ingest.planning import Planned, draft, plan


def plan_all(caller: Caller, body: NotificationBody, now: datetime) -> list[Planned]:
    """All of them, or Problem."""
    try:
        drafts = [draft(caller, item, now, pointer) for pointer, item in items_of(body)]
    except Problem as problem:
        raise where_it_was_said(body, problem) from None
    planned, problems = plan(caller, drafts)
    found = [problem for problem in problems if problem]
    if len(found) == 1:
        raise found[0]
    if found:
        errors = [error for problem in found for error in problem.errors]
        raise Problem(found[0].code, f"{len(found)} recipients are not known.", errors=errors)
    return [p for p in planned if p]


def items_of(body: NotificationBody) -> list[tuple[str, NotificationItem]]:
    """The body as one item per recipient, each with its pointer."""
    if body.recipients is None:
        return [("", body)]
    if body.user_id is not None or body.recipient is not None:
        where = "/user_id" if body.user_id is not None else "/recipient"
        raise Problem(Code.CONTRADICTION, "Send `recipients`, or one recipient, not both.", pointer=where)
    if len({item.user_id for item in body.recipients}) < len(body.recipients):
        raise Problem(Code.CONTRADICTION, "A recipient is named twice.", pointer="/recipients")
    return [
        (
            f"/recipients/{place}",
            msgspec.structs.replace(
                body,
                user_id=item.user_id,
                channels=item.channels or body.channels,
                template_id=item.template_id or body.template_id,
                data=body.data | item.data if item.data else body.data,
            ),
        )
        for place, item in enumerate(body.recipients)
    ]


def where_it_was_said(body: NotificationBody, problem: Problem) -> Problem:
    """What one of several recipients took from the request is shown where the request says it."""

    def pointer(of: str) -> str:
        match of.split("/", 4):
            case ["", "recipients", place, name, *_] if (
                getattr((body.recipients or [])[int(place)], name, None) is None
            ):
                return of.removeprefix(f"/recipients/{place}")
        return of

    errors = [msgspec.structs.replace(error, pointer=pointer(error.pointer)) for error in problem.errors]
    return Problem(problem.code, problem.detail, errors=errors, headers=problem.headers)
