"""Staged rows -> people, addresses, members of a list: a page is one transaction, and the lane's cursor commits with it.

What is empty in the file changes nothing, attributes are merged, addresses are added; an address that is known stays as it is, retired
ones too: a file must not bring back what the network refused. Rows go in order of their keys, so that two writers wait and none dies.
"""

from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.audience.bodies import MAX_ATTRIBUTES
from apps.audience.imports.rows import LANES
from apps.audience.imports.staging import table_of
from apps.audience.new_times import report_new_times
from apps.core import clock
from apps.core.enums import Channel, EndpointKind
from apps.core.rows import execute, fetch

PAGE_LINES = 40_000

# a foreign key's check keeps its plan: made when there were few people, it reads all of them for each row of a page
_PLAN_ANEW = "DISCARD PLANS"
# this lock lets others note progress; who pauses, cancels or takes it over waits for it, until this page is written
_FENCE = """
SELECT tenant_id, list_segment_id, lines FROM audience_import
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running' FOR KEY SHARE
"""
_CURSOR = "SELECT cursor FROM audience_importlane WHERE import_id = %(id)s AND lane = %(lane)s"
_PAGE = "s.lane = %(lane)s AND s.line > %(after)s AND s.line <= %(until)s"
_CREATE = f"""
INSERT INTO audience_recipient
    (id, tenant_id, user_id, locale, timezone, attributes, preferences_version, created_at, updated_at)
SELECT s.recipient_id, %(tenant)s, s.user_id, s.locale, s.timezone, s.attributes, 0, %(now)s, %(now)s
FROM {{table}} s WHERE {_PAGE} AND s.is_person ORDER BY s.user_id
ON CONFLICT (tenant_id, user_id) DO NOTHING
"""
_CHANGE = f"""
WITH mine AS (
    SELECT r.id, s.line, s.locale, s.timezone, r.timezone AS zone_before, r.attributes || s.attributes AS attributes
    FROM {{table}} s JOIN audience_recipient r ON r.tenant_id = %(tenant)s AND r.user_id = s.user_id
    WHERE {_PAGE} AND s.is_person AND r.id <> s.recipient_id AND (s.locale NOT IN ('', r.locale)
        OR s.timezone NOT IN ('', r.timezone) OR r.attributes || s.attributes <> r.attributes)
    ORDER BY r.user_id FOR NO KEY UPDATE OF r
), refused AS (
    INSERT INTO audience_importfault (id, tenant_id, import_id, line, "column", code, sealed)
    SELECT uuidv7(), %(tenant)s, %(id)s, line, '', 'out_of_range', '' FROM mine
    WHERE octet_length(attributes::text) > {MAX_ATTRIBUTES} ON CONFLICT (import_id, line) DO NOTHING RETURNING line
), changed AS (
    UPDATE audience_recipient r SET locale = coalesce(nullif(mine.locale, ''), r.locale),
        timezone = coalesce(nullif(mine.timezone, ''), r.timezone), attributes = mine.attributes, updated_at = %(now)s
    FROM mine WHERE r.id = mine.id AND octet_length(mine.attributes::text) <= {MAX_ATTRIBUTES}
    RETURNING r.id, r.timezone <> mine.zone_before
)
SELECT id, moved, false FROM changed AS c (id, moved) UNION ALL SELECT NULL, false, true FROM refused
"""
_COUNT = f"SELECT count(*) FROM {{table}} s WHERE {_PAGE}"
_ADDRESS = f"""
SELECT s.{{name}}_id AS id, {{owner}} AS recipient_id, '{{channel}}' AS channel, '{{kind}}' AS kind, s.{{name}}_sealed AS sealed,
    s.{{name}}_hash AS address_hash, s.{{name}}_masked AS masked
FROM {{table}} s {{join}} WHERE {_PAGE} AND s.{{name}}_sealed IS NOT NULL
"""
_OWNER = "JOIN audience_recipient r ON r.tenant_id = %(tenant)s AND r.user_id = s.user_id"
# while hash keys are changed an address may still be known by an earlier one
_UNKNOWN = """ AND NOT EXISTS (SELECT FROM audience_endpoint e WHERE e.recipient_id = r.id AND e.channel = '{channel}'
    AND e.address_hash = ANY (s.{name}_earlier))"""
_ADD = """
INSERT INTO audience_endpoint (id, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked, platform, verified_at,
    retired_reason, last_seen_at, created_at, updated_at)
SELECT id, %(tenant)s, recipient_id, channel, kind, sealed, address_hash, masked, '', %(now)s, '', %(now)s, %(now)s, %(now)s
FROM ({addresses}) a ORDER BY recipient_id, channel, address_hash
"""
_UNLESS_KNOWN = "ON CONFLICT (recipient_id, channel, address_hash) DO NOTHING"
_LIST = f"""
INSERT INTO audience_segmentmember (segment_id, recipient_id, tenant_id)
SELECT %(list)s, r.id, %(tenant)s FROM {{table}} s JOIN audience_recipient r ON r.tenant_id = %(tenant)s AND r.user_id = s.user_id
WHERE {_PAGE} AND s.is_person ORDER BY r.id ON CONFLICT DO NOTHING
"""
_ADVANCE = """
UPDATE audience_importlane SET cursor = %(until)s, created = created + %(created)s, changed = changed + %(changed)s,
    added = added + %(added)s, refused = refused + %(refused)s
WHERE import_id = %(id)s AND lane = %(lane)s AND cursor = %(after)s
"""
_OPEN = """
INSERT INTO audience_importlane (tenant_id, import_id, lane, cursor, created, changed, added, refused)
SELECT %(tenant)s, %(id)s, lane, 0, 0, 0, 0, 0 FROM generate_series(0, %(last)s) lane ON CONFLICT DO NOTHING
"""
_ADDRESSES = (("email", Channel.EMAIL, EndpointKind.EMAIL), ("phone", Channel.SMS, EndpointKind.PHONE))


class Page(NamedTuple):
    """`is_last`: the lane is done. `is_ours`: False when the import was paused, cancelled or taken over; then nothing was written.
    `lines`: of the file that it went over."""

    is_ours: bool
    is_last: bool
    lines: int


def open_lanes(tenant_id: UUID, import_id: UUID) -> None:
    execute(_OPEN, {"tenant": tenant_id, "id": import_id, "last": LANES - 1})


def write_page(import_id: UUID, token: int, lane: int, names: frozenset[str], *, lines: int = PAGE_LINES) -> Page:
    """`names`: of the addresses that the file has. Nine statements at most, whatever the number of rows."""
    with transaction.atomic():
        fence = fetch(_FENCE, {"id": import_id, "token": token})
        if not fence:
            return Page(False, False, 0)
        ((tenant_id, list_id, last),) = fence
        ((after,),) = fetch(_CURSOR, {"id": import_id, "lane": lane})
        if after >= last:
            return Page(True, True, 0)
        until = min(after + lines, last)
        page = {"tenant": tenant_id, "id": import_id, "lane": lane, "after": after, "until": until, "now": clock.now()}
        table = table_of(import_id)
        execute(_PLAN_ANEW, {})
        created = execute(_CREATE.format(table=table), page)
        ((count,),) = fetch(_COUNT.format(table=table), page)
        # every row made a person: nobody is there to be changed, and nobody else knows them yet
        all_new = created == count
        rows = [] if all_new else fetch(_CHANGE.format(table=table), page)
        changed = [(id_, moved) for id_, moved, is_refused in rows if not is_refused]
        moved = [id_ for id_, is_moved in changed if is_moved]
        report_new_times(quiet=moved, digests=moved)
        added = execute(_add(table, names, all_new), page) if names else 0
        if list_id is not None:
            execute(_LIST.format(table=table), page | {"list": list_id})
        counts = {"created": created, "changed": len(changed), "added": added, "refused": len(rows) - len(changed)}
        advanced = execute(_ADVANCE, page | counts)
        assert advanced == 1, "the fence lets one writer through"
    return Page(True, until >= last, until - after)


def _add(table: str, names: frozenset[str], all_new: bool) -> str:
    """Of people who were all made by this page, no address can be known."""
    owner, join = ("s.recipient_id", "") if all_new else ("r.id", _OWNER)
    is_rotating = len(settings.HASH_KEYS) > 1 and not all_new
    parts = [
        (_ADDRESS + (_UNKNOWN if is_rotating else "")).format(
            table=table, name=name, channel=channel, kind=kind, owner=owner, join=join
        )
        for name, channel, kind in _ADDRESSES
        if name in names
    ]
    return _ADD.format(addresses=" UNION ALL ".join(parts)) + ("" if all_new else _UNLESS_KNOWN)
