"""What recipients chose and what tenants allow, as the brain wants it.

Choices are kept in Redis under the person's id and the version of their choices (Recipient.preferences_version), and never
changed there: a change makes a new version, and so a new key. Whoever has read the person knows which key is good, so that a Redis
that is empty, gone, or cut off for a while and back costs a query and never an old answer.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from apps.core import redis
from apps.core.rows import fetch
from apps.core.types import NOTHING_CHOSEN, Choices, TenantRules

log = logging.getLogger(__name__)

CACHE_SECONDS = 1.0
KEPT_SECONDS = 86_400
REST_SECONDS = 1.0
_MOST_CACHED = 5_000
_MOST_AT_HAND = 10_000
_FEW = 20

# the JSON is that of core.types.Choices; in the order of the unique indexes, so that nothing has to be sorted
_SAID = """json_strip_nulls(json_build_object({version}
    'switches', (
        SELECT json_agg(json_build_object(
            'topic', s.topic, 'channel', s.channel, 'is_on', s.is_on, 'digest', nullif(s.digest, '') {told_s})
            ORDER BY s.topic, s.channel)
        FROM preferences_preference s WHERE s.recipient_id = {id}),
    'mutes', (
        SELECT json_agg(json_build_object('topic', m.topic, 'channel', m.channel, 'until', m.until {told_m})
            ORDER BY m.topic, m.channel)
        FROM preferences_mute m WHERE m.recipient_id = {id}),
    'quiet_hours', f.quiet_hours, 'digest_hour', f.digest_hour, 'digest_weekday', f.digest_weekday,
    'blocked_actors', f.blocked_actors))::text"""
_TOLD = ", 'source', {0}.source, 'since', {0}.updated_at"
_CHOICES = f"""
SELECT r.id, {_SAID.format(version="'version', r.preferences_version,", id="r.id", told_s=_TOLD.format("s"), told_m=_TOLD.format("m"))}
FROM audience_recipient r LEFT JOIN preferences_profile f ON f.recipient_id = r.id
WHERE r.id = ANY(%(ids)s)
"""
CHOSEN_SQL = f"""(SELECT {_SAID.format(version="", id="p.id", told_s="", told_m="")}
    FROM (SELECT) one LEFT JOIN preferences_profile f ON f.recipient_id = p.id)"""
"""What the person `p.id` chose, as text: the same for all who chose the same, whenever and wherever they did; for `choices_of`."""
# and this that of core.types.TenantRules
_RULES = """
SELECT t.id, json_strip_nulls(json_build_object(
    'defaults', (
        SELECT json_agg(json_build_object(
            'topic', d.topic, 'channel', d.channel, 'is_on', d.is_on, 'digest', nullif(d.digest, ''), 'is_locked', d.is_locked,
            'reason', d.reason) ORDER BY d.topic, d.channel)
        FROM preferences_defaultpreference d WHERE d.tenant_id = t.id),
    'quiet_hours', (
        SELECT json_agg(json_build_object(
            'start', q.start, 'end', q.end, 'channels', q.channels, 'categories', q.categories, 'country', q.country,
            'is_locked', q.is_locked) ORDER BY q.id)
        FROM preferences_quiethoursrule q WHERE q.tenant_id = t.id),
    'caps', (
        SELECT json_agg(json_build_object(
            'id', c.id, 'name', c.name, 'limit', c.limit, 'period', c.period, 'window', c.window_seconds, 'topic', c.topic,
            'channel', c.channel) ORDER BY c.id)
        FROM preferences_frequencycap c WHERE c.tenant_id = t.id)))::text
FROM unnest(%(ids)s::uuid[]) AS t(id)
"""
_rules: dict[UUID, tuple[float, TenantRules]] = {}
_at_hand: OrderedDict[UUID, Choices] = OrderedDict()
_lock = Lock()
_rest_until = 0.0


def choices(versions: Mapping[UUID, int]) -> dict[UUID, Choices]:
    """By recipient; `versions`: as read with the people. At least as new as that; who is gone meanwhile is left out.

    One trip to Redis and one query, at most; neither for what is at hand, nor for version 0: nothing was ever chosen. For more than a few
    one query costs less than Redis does, which they would fill with people of whom each is met once. Inside a transaction the
    database is asked: what it says there may be rolled back, and must not be kept.
    """
    if connection.in_atomic_block:
        return stored(versions)
    found = {id_: NOTHING_CHOSEN for id_, version in versions.items() if not version}
    found |= _taken_from_hand(versions)
    missing = [id_ for id_ in versions if id_ not in found]
    if len(missing) > _FEW:
        _take_in_hand(loaded := stored(missing))
        return found | loaded
    if missing:
        cached = _cached({id_: versions[id_] for id_ in missing})
        _take_in_hand(cached)
        found |= cached
    if missing := [id_ for id_ in missing if id_ not in found]:
        keep(loaded := stored(missing))
        found |= loaded
    return found


def stored(recipient_ids: Iterable[UUID]) -> dict[UUID, Choices]:
    """As the database has it, for each id that exists. One query."""
    ids = list(recipient_ids)
    rows = fetch(_CHOICES, {"ids": ids}) if ids else []
    return {id_: msgspec.json.decode(text, type=Choices) for id_, text in rows}


def choices_of(chosen: str) -> Choices:
    """From what CHOSEN_SQL gives; without version, sources and dates."""
    return msgspec.json.decode(chosen, type=Choices)


def keep(found: Mapping[UUID, Choices]) -> None:
    """Committed choices, for whoever asks next. One trip to Redis. Never raises for a missing Redis."""
    global _rest_until
    _take_in_hand(found)
    if not found or monotonic() < _rest_until:
        return
    try:
        with redis.quick().pipeline(transaction=False) as pipeline:
            for id_, chosen in found.items():
                pipeline.set(_key(id_, chosen.version), msgspec.json.encode(chosen), ex=KEPT_SECONDS)
            pipeline.execute()
    except redis.RedisError as error:
        _rest(error)


def rules_of(tenant_ids: Iterable[UUID]) -> dict[UUID, TenantRules]:
    """One entry for each id. At most CACHE_SECONDS old; three queries for those that are not at hand."""
    wanted, now = set(tenant_ids), monotonic()
    found = {id_: kept[1] for id_ in wanted if (kept := _rules.get(id_)) is not None and kept[0] > now}
    if len(found) < len(wanted):
        loaded = _loaded([id_ for id_ in wanted if id_ not in found])
        if len(_rules) >= _MOST_CACHED:
            _rules.clear()
        _rules.update({id_: (now + CACHE_SECONDS, rules) for id_, rules in loaded.items()})
        found |= loaded
    return found


def forget_cached() -> None:
    """After a change in this very process, and for tests."""
    global _rest_until
    _rest_until = 0.0
    _rules.clear()
    with _lock:
        _at_hand.clear()


def _taken_from_hand(versions: Mapping[UUID, int]) -> dict[UUID, Choices]:
    with _lock:
        found = {
            id_: chosen
            for id_, version in versions.items()
            if (chosen := _at_hand.get(id_)) is not None and chosen.version == version
        }
        for id_ in found:
            _at_hand.move_to_end(id_)
    return found


def _take_in_hand(found: Mapping[UUID, Choices]) -> None:
    """Those longest unused are forgotten."""
    with _lock:
        _at_hand.update(found)
        while len(_at_hand) > _MOST_AT_HAND:
            _at_hand.popitem(last=False)


def _cached(versions: Mapping[UUID, int]) -> dict[UUID, Choices]:
    """Those that Redis has."""
    if monotonic() < _rest_until:
        return {}
    try:
        texts: Any = redis.quick().mget([_key(id_, version) for id_, version in versions.items()])
    except redis.RedisError as error:
        _rest(error)
        return {}
    return {
        id_: chosen
        for id_, text in zip(versions, texts, strict=True)
        if text is not None and (chosen := _read(text)) is not None
    }


def _read(text: bytes) -> Choices | None:
    try:
        return msgspec.json.decode(text, type=Choices)
    except msgspec.DecodeError:
        log.warning("unreadable choices in redis")
        return None


def _key(id_: UUID, version: int) -> str:
    """The number is that of the form in which they are written: raise it when core.types.Choices changes."""
    return f"choices:1:{id_.hex}:{version}"


def _rest(error: redis.RedisError) -> None:
    """After a failure Redis is left alone for a moment, so that batches do not each wait for it."""
    global _rest_until
    _rest_until = monotonic() + REST_SECONDS
    log.warning("redis is away: choices are read from the database", exc_info=error)


def _loaded(tenant_ids: list[UUID]) -> dict[UUID, TenantRules]:
    rows = fetch(_RULES, {"ids": tenant_ids})
    # a window comes as seconds
    return {id_: msgspec.json.decode(text, type=TenantRules, strict=False) for id_, text in rows}
