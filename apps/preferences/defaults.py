"""What a tenant lays down for those who chose nothing, or for everybody: in force everywhere within a second."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Default
from apps.preferences import choosing
from apps.preferences.models import DefaultPreference
from apps.preferences.topics import is_topic

MOST = 500
IN_FORCE_AFTER = timedelta(seconds=choosing.CACHE_SECONDS)


def put_default(*, tenant_id: UUID, default: Default) -> bool:
    """True when it is new. Raises Problem: invalid_topic, contradiction, missing_field, out_of_range."""
    check(default)
    with transaction.atomic():
        rows = DefaultPreference.objects.of(tenant_id)
        if not rows.filter(topic=default.topic, channel=default.channel).exists() and rows.count() >= MOST:
            raise Problem(Code.OUT_OF_RANGE, f"A tenant has at most {MOST} defaults.")
        _, is_new = DefaultPreference.objects.update_or_create(
            tenant_id=tenant_id,
            topic=default.topic,
            channel=default.channel,
            defaults={
                "is_on": default.is_on,
                "digest": default.digest or "",
                "is_locked": default.is_locked,
                "reason": default.reason,
            },
        )
    choosing.forget_cached()
    return bool(is_new)


def delete_default(*, tenant_id: UUID, topic: str, channel: str) -> bool:
    """False when there was none."""
    if "\x00" in topic + channel:
        return False
    found = DefaultPreference.objects.of(tenant_id).filter(topic=topic, channel=channel).delete()[0] > 0
    choosing.forget_cached()
    return found


def check(default: Default) -> None:
    """Raises Problem."""
    if not is_topic(default.topic):
        said = "is neither an event type, a pattern like `order.*`, a `category:<name>` nor `*`."
        raise Problem(Code.INVALID_TOPIC, f"`{default.topic}` {said}", pointer="#path/topic")
    if default.digest and not default.is_on:
        raise Problem(Code.CONTRADICTION, "A digest is of what is on: send `on: true` with it.", pointer="/digest")
    if default.is_locked and not default.reason.strip():
        raise Problem(Code.MISSING_FIELD, "People are told why they cannot change it.", pointer="/reason")
