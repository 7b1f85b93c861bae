"""What recipients chose and what tenants allow, as the brain wants it."""

from collections.abc import Iterable
from time import monotonic
from uuid import UUID

import msgspec

from apps.core.rows import fetch
from apps.core.types import Choices, TenantRules

CACHE_SECONDS = 1.0
_MOST_CACHED = 5_000

# the JSON is that of core.types.Choices
_CHOICES = """
SELECT r.id, json_strip_nulls(json_build_object(
    'version', r.preferences_version,
    'switches', (
        SELECT json_agg(json_build_object(
            'topic', p.topic, 'channel', p.channel, 'is_on', p.is_on, 'digest', nullif(p.digest, ''), 'source', p.source,
            'since', p.updated_at) ORDER BY p.topic, p.channel)
        FROM preferences_preference p WHERE p.recipient_id = r.id),
    'mutes', (
        SELECT json_agg(json_build_object(
            'topic', m.topic, 'channel', m.channel, 'until', m.until, 'source', m.source, 'since', m.updated_at)
            ORDER BY m.topic, m.channel)
        FROM preferences_mute m WHERE m.recipient_id = r.id),
    'quiet_hours', f.quiet_hours, 'digest_hour', f.digest_hour, 'digest_weekday', f.digest_weekday,
    'blocked_actors', f.blocked_actors))::text
FROM audience_recipient r LEFT JOIN preferences_profile f ON f.recipient_id = r.id
WHERE r.id = ANY(%(ids)s)
"""
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


def choices(recipient_ids: Iterable[UUID]) -> dict[UUID, Choices]:
    """One entry for each id that exists, of whatever tenant. One query."""
    ids = list(recipient_ids)
    rows = fetch(_CHOICES, {"ids": ids}) if ids else []
    return {id_: msgspec.json.decode(text, type=Choices) for id_, text in rows}


def rules_of(tenant_ids: Iterable[UUID]) -> dict[UUID, TenantRules]:
    """One entry for each id. At most CACHE_SECONDS old; three queries for those that are not at hand."""
    wanted, now = set(tenant_ids), monotonic()
    missing = [id_ for id_ in wanted if id_ not in _rules or _rules[id_][0] <= now]
    if missing:
        if len(_rules) > _MOST_CACHED:
            _rules.clear()
        _rules.update({id_: (now + CACHE_SECONDS, rules) for id_, rules in _loaded(missing).items()})
    return {id_: _rules[id_][1] for id_ in wanted}


def forget_cached() -> None:
    """After a change in this very process, and for tests."""
    _rules.clear()


def _loaded(tenant_ids: list[UUID]) -> dict[UUID, TenantRules]:
    rows = fetch(_RULES, {"ids": tenant_ids})
    # a window comes as seconds
    return {id_: msgspec.json.decode(text, type=TenantRules, strict=False) for id_, text in rows}
