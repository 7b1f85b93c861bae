"""Default quiet hours and frequency caps of a tenant, each by its name: in force everywhere within a second."""

import re
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.enums import CapPeriod
from apps.core.locales import is_country
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Cap, QuietHours
from apps.preferences import choosing
from apps.preferences.models import FrequencyCap, QuietHoursRule
from apps.preferences.topics import is_topic

MOST_CAPS = 20
MOST_QUIET_HOURS = 100
LEAST_WINDOW, LONGEST_WINDOW = 60, 30 * 86_400
NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"


def put_quiet_hours(*, tenant_id: UUID, name: str, quiet: QuietHours) -> bool:
    """True when it is new. Raises Problem: out_of_range, contradiction."""
    check_quiet_hours(name, quiet)
    fields = asdict(quiet) | {"channels": list(quiet.channels), "categories": list(quiet.categories)}
    return _put(QuietHoursRule, tenant_id, name, fields, MOST_QUIET_HOURS)


def delete_quiet_hours(*, tenant_id: UUID, name: str) -> bool:
    """False when there were none."""
    return _delete(QuietHoursRule, tenant_id, name)


def put_cap(*, tenant_id: UUID, cap: Cap) -> bool:
    """True when it is new; it then counts from now on. Raises Problem: out_of_range, missing_field, contradiction, invalid_topic."""
    check_cap(cap)
    fields = {
        "limit": cap.limit,
        "period": cap.period,
        "window_seconds": int(cap.window.total_seconds()),
        "topic": cap.topic,
        "channel": cap.channel,
    }
    return _put(FrequencyCap, tenant_id, cap.name, fields, MOST_CAPS)


def delete_cap(*, tenant_id: UUID, name: str) -> bool:
    """False when there was none."""
    return _delete(FrequencyCap, tenant_id, name)


def check_quiet_hours(name: str, quiet: QuietHours) -> None:
    """Raises Problem."""
    _check_name(name)
    if quiet.start == quiet.end:
        raise Problem(
            Code.CONTRADICTION, "Quiet hours that end when they begin are none: delete the rule.", pointer="/end"
        )
    if quiet.country and not is_country(quiet.country):
        detail = f"`{quiet.country}` is no country of ISO 3166-1, like `DE`."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="/country")


def check_cap(cap: Cap) -> None:
    """Raises Problem."""
    _check_name(cap.name)
    if not is_topic(cap.topic):
        said = "is neither an event type, a pattern like `order.*`, a `category:<name>` nor `*`."
        raise Problem(Code.INVALID_TOPIC, f"`{cap.topic}` {said}", pointer="/topic")
    if cap.topic == "category:critical":
        raise Problem(Code.CONTRADICTION, "Critical messages are neither counted nor held back.", pointer="/topic")
    seconds = cap.window.total_seconds()
    if cap.period != CapPeriod.ROLLING and seconds:
        detail = "Only a rolling period has a window: days and weeks are the recipient's own."
        raise Problem(Code.CONTRADICTION, detail, pointer="/window_seconds")
    if cap.period == CapPeriod.ROLLING and not seconds:
        raise Problem(Code.MISSING_FIELD, "A rolling period needs its length in seconds.", pointer="/window_seconds")
    if cap.period == CapPeriod.ROLLING and not LEAST_WINDOW <= seconds <= LONGEST_WINDOW:
        detail = f"A window has {LEAST_WINDOW} to {LONGEST_WINDOW} seconds."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="/window_seconds")


def _check_name(name: str) -> None:
    if not re.match(NAME + r"\Z", name):
        detail = "A name has 1 to 63 of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer="#path/name")


def _put(table: Any, tenant_id: UUID, name: str, fields: dict[str, Any], most: int) -> bool:
    with transaction.atomic():
        rows = table.objects.of(tenant_id)
        if not rows.filter(name=name).exists() and rows.count() >= most:
            raise Problem(Code.OUT_OF_RANGE, f"A tenant has at most {most} of them.")
        _, is_new = table.objects.update_or_create(tenant_id=tenant_id, name=name, defaults=fields)
    choosing.forget_cached()
    return bool(is_new)


def _delete(table: Any, tenant_id: UUID, name: str) -> bool:
    found = "\x00" not in name and table.objects.of(tenant_id).filter(name=name).delete()[0] > 0
    choosing.forget_cached()
    return bool(found)
