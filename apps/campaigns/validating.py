"""Whether values may be kept: each by itself, and against what else there is. What a campaign still lacks to be launched is another
question (checking.py): a draft may lack everything."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from msgspec import UNSET, to_builtins

from apps.audience.segments import compiling
from apps.campaigns.definitions import (
    MOST_DATA,
    AudienceValues,
    CampaignValues,
    ScheduleValues,
    TestValues,
    VariantValues,
)
from apps.campaigns.scheduling import plan_of
from apps.core.bodies import MAX_DEPTH
from apps.core.enums import Category, Channel
from apps.core.locales import is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.events import selectors as events
from apps.schedules.rules import RuleError
from apps.schedules.timing import RECIPIENT, wall_of
from apps.templates import selectors as templates

BUDGETS = frozenset({"total", *Channel})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check(tenant: Tenant, values: CampaignValues, now: datetime, *, may_critical: bool = False) -> None:
    """Raises Problem with everything that is wrong: the single code, or validation_error."""
    errors = [*_texts(values), *_alone(values, may_critical=may_critical), *_against(tenant, values, now)]
    if len(errors) == 1:
        raise Problem(Code[errors[0].code.upper()], errors[0].detail, errors=errors)
    if errors:
        raise Problem(Code.VALIDATION_ERROR, f"{len(errors)} fields are not valid.", errors=errors)


def _texts(values: CampaignValues) -> Iterator[FieldError]:
    for name in ("name", "event_type", "send_once_key"):
        text = getattr(values, name)
        if text is not UNSET and not text.isprintable():
            yield FieldError(f"/{name}", Code.OUT_OF_RANGE, "Only characters that can be read.")
    if values.name is not UNSET and not values.name.strip():
        yield FieldError("/name", Code.OUT_OF_RANGE, "A name has at least one character.")


def _alone(values: CampaignValues, *, may_critical: bool) -> Iterator[FieldError]:
    if values.category is Category.CRITICAL and not may_critical:
        yield FieldError("/category", Code.CRITICAL_NOT_APPROVED, Code.CRITICAL_NOT_APPROVED.meaning)
    if isinstance(values.data, dict):
        yield from _data(values.data)
    if isinstance(values.schedule, ScheduleValues):
        yield from schedule_errors(values.schedule)
    if isinstance(values.test, TestValues) and (values.test.rule, values.test.undecided) == ("by_hand", "first"):
        yield FieldError(
            "/test/undecided", Code.CONTRADICTION, "Where somebody chooses by hand, nothing is sent by itself."
        )
    if isinstance(values.ramp, list) and values.ramp:
        steps = values.ramp
        if steps[-1] != 100 or any(late <= early for early, late in zip([0.0, *steps], steps, strict=False)):
            said = "A ramp goes up from step to step and ends at 100: [0.1, 1, 10, 100]."
            yield FieldError("/ramp", Code.OUT_OF_RANGE, said)
    if isinstance(values.variants, list):
        names = [variant.name.strip().casefold() for variant in values.variants]
        for place, name in enumerate(names):
            if not name or not name.isprintable():
                yield FieldError(f"/variants/{place}/name", Code.OUT_OF_RANGE, "A variant has a name.")
            elif name in names[:place]:
                yield FieldError(f"/variants/{place}/name", Code.CONTRADICTION, "Two variants have this name.")
    if isinstance(values.budget, dict):
        for name in sorted(values.budget.keys() - BUDGETS):
            said = f"A budget is for one of {', '.join(sorted(BUDGETS))}."
            yield FieldError(f"/budget/{_escaped(name)}", Code.UNKNOWN_FIELD, said)
    if isinstance(values.brake, dict):
        for name in sorted(name for name in values.brake if not _NAME.fullmatch(name)):
            yield FieldError(f"/brake/{_escaped(name)}", Code.UNKNOWN_FIELD, "This is not a threshold of the brake.")


def _data(data: dict[str, Any]) -> Iterator[FieldError]:
    text = json.dumps(data, ensure_ascii=False)
    if len(text.encode(errors="surrogatepass")) > MOST_DATA:
        yield FieldError("/data", Code.OUT_OF_RANGE, f"At most {MOST_DATA // 1024} KiB.")
    elif "\\u0000" in text or "\x00" in text:
        yield FieldError("/data", Code.NUL_BYTE, Code.NUL_BYTE.meaning)
    elif _depth(data) > MAX_DEPTH:
        yield FieldError("/data", Code.TOO_DEEP, Code.TOO_DEEP.meaning)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def schedule_errors(said: ScheduleValues) -> Iterator[FieldError]:
    if said.kind == "now":
        for name in ("start", "rule", "exdates"):
            if getattr(said, name):
                yield FieldError(f"/schedule/{name}", Code.CONTRADICTION, "What is sent now has no time.")
        return
    if said.zone != RECIPIENT and not is_timezone(said.zone):
        yield FieldError("/schedule/zone", Code.INVALID_TIMEZONE, f"`{said.zone}` is not a known time zone.")
        return
    if not said.start:
        yield FieldError("/schedule/start", Code.MISSING_FIELD, "When? A time is missing.")
        return
    try:
        year = wall_of(said.start).year
    except ValueError:
        year = 0
    if not 1970 <= year <= 2200:
        yield FieldError("/schedule/start", Code.OUT_OF_RANGE, "A time on the wall is like 2027-01-04T09:00.")
        return
    if (said.kind == "recurring") != bool(said.rule):
        is_missing = not said.rule
        detail = "How often? A rule is missing." if is_missing else "What is sent once has no rule."
        yield FieldError("/schedule/rule", Code.MISSING_FIELD if is_missing else Code.CONTRADICTION, detail)
        return
    yield from _rule(said)


def _rule(said: ScheduleValues) -> Iterator[FieldError]:
    for place, text in enumerate(said.exdates):
        try:
            if len(text) == 10:
                date.fromisoformat(text)
            else:
                wall_of(text)
        except ValueError:
            detail = "An exception is a time on the wall, or a date."
            yield FieldError(f"/schedule/exdates/{place}", Code.OUT_OF_RANGE, detail)
            return
    try:
        timing = plan_of(to_builtins(said)).timing
    except RuleError as error:
        yield FieldError("/schedule/rule", Code[error.code.upper()], error.detail)
        return
    if timing is not None and timing.never_fires():
        yield FieldError("/schedule/rule", Code.RULE_NEVER_FIRES, Code.RULE_NEVER_FIRES.meaning)


def _against(tenant: Tenant, values: CampaignValues, now: datetime) -> Iterator[FieldError]:
    if isinstance(values.audience, AudienceValues):
        for name in ("include", "exclude"):
            rule = getattr(values.audience, name)
            if rule is not None:
                try:
                    compiling.condition_of(tenant.id, rule, now, pointer=f"/audience/{name}")
                except Problem as problem:
                    yield from problem.errors or [FieldError(f"/audience/{name}", problem.code, problem.detail)]
    if (
        isinstance(values.event_type, str)
        and values.event_type
        and events.event_type(tenant.id, values.event_type) is None
    ):
        yield FieldError("/event_type", Code.UNKNOWN_EVENT_TYPE, f"There is no event type `{values.event_type}`.")
    for place, variant in enumerate(values.variants if isinstance(values.variants, list) else []):
        if (said := _template(tenant, variant)) is not None:
            yield FieldError(f"/variants/{place}/template_key", Code.UNKNOWN_TEMPLATE, said)


def _template(tenant: Tenant, variant: VariantValues) -> str | None:
    if not variant.template_key:
        return None
    row = templates.template_by_key(tenant, variant.template_key)
    if row is None:
        return f"There is no template `{variant.template_key}`."
    if row.is_layout or row.is_partial:
        return f"`{row.key}` is a {'layout' if row.is_layout else 'partial'}: it is part of templates, and not sent by itself."
    return None


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
