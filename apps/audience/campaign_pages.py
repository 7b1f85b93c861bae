"""A page of a campaign's people as rows of a temporary table, where those who are alike are decided on together and never leave PostgreSQL.

Two people are alike on a channel when no rule can tell them apart: same zone, same choices, addresses in the same states, none of them
vetoed. Everybody else is `special` and decided on by themselves, as are those who chose what hardly anybody did.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from apps.audience.segments.asking import ask
from apps.audience.segments.compiling import Condition
from apps.core.arrays import uuids
from apps.core.enums import Channel
from apps.core.rows import execute, fetch

# made once for each connection, emptied at each commit: a table made anew for every page would bloat the catalogue
_TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS campaign_page (
    notification_id uuid, recipient_id uuid, variant smallint, channel text, is_first boolean, is_special boolean,
    timezone text, is_blocked boolean, states text, chosen text, endpoint_ids uuid[], places text[]
) ON COMMIT DELETE ROWS
"""
_STATE = "CASE WHEN e.retired_at IS NOT NULL THEN 'x' WHEN e.verified_at IS NULL THEN 'u' ELSE 'v' END"
_PLACE = """CASE e.kind WHEN 'email' THEN lower(split_part(e.masked, '@', -1)) WHEN 'phone' THEN split_part(e.masked, '*', 1)
    ELSE e.platform END"""
# masks that do not hold the whole domain as it is written on the wire: see outlines.py
_ODD = "e.kind = 'email' AND (length(e.masked) >= 100 OR octet_length(e.masked) > length(e.masked))"
# most people have one address: gathering and sorting is for the others
_ONE_OR_ALL = """CASE a.count WHEN 1 THEN {one} WHEN 0 THEN {none} ELSE (
        SELECT {all} FROM audience_endpoint e WHERE e.recipient_id = i.id AND e.channel = c.channel) END"""
# for fewer, asking the brain once saves nothing: where it says no, each of them is asked about again
_SOME = 3
_FILL = """
WITH page AS MATERIALIZED (
    SELECT r.id, r.timezone, r.blocked_at IS NOT NULL AS is_blocked, r.preferences_version > 0 AS has_chosen, {share} AS share
    FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition} {bounds} ORDER BY r.id LIMIT %(size)s
), invited AS MATERIALIZED (
    SELECT p.*, {variant} AS variant, CASE WHEN p.has_chosen THEN {chosen} ELSE '' END AS chosen, b.begin,
        sha256(b.begin || %(hashed_with)s::bytea || uuid_send(p.id)) AS h
    FROM page p CROSS JOIN LATERAL (
        SELECT substring(uuid_send(%(begin)s::uuid) FROM 1 FOR 6)
            || int2send(width_bucket(p.id, %(cuts)s::uuid[])::smallint) AS begin) b
    WHERE p.share >= %(held_out)s
), placed AS (
    SELECT i.*, c.channel, c.place = 1 AS is_first, {states} AS states, {endpoint_ids} AS endpoint_ids, {places} AS places,
        coalesce(a.is_odd, false) OR (i.chosen <> '' AND i.chosen NOT IN (
            SELECT chosen FROM invited WHERE chosen <> '' GROUP BY chosen HAVING count(*) >= {some})) AS is_odd
    FROM invited i CROSS JOIN unnest(%(channels)s::text[]) WITH ORDINALITY AS c(channel, place)
    LEFT JOIN LATERAL (
        SELECT count(*) AS count, any_value(e.id) AS id, any_value({state}) AS state, any_value({place}) AS place,
            bool_or({odd}) AS is_odd
        FROM audience_endpoint e WHERE e.recipient_id = i.id AND e.channel = c.channel) a ON true
), filled AS (
    INSERT INTO campaign_page
    SELECT encode(set_byte(set_byte(begin || substring(h FROM 1 FOR 8), 6, get_byte(begin, 6) & 15 | 128),
            8, get_byte(h, 0) & 63 | 128), 'hex')::uuid,
        id, variant, channel, is_first, {any_odd}, timezone, is_blocked, states, chosen, endpoint_ids, places
    FROM placed
)
SELECT count(*), count(*) FILTER (WHERE share < %(held_out)s), (SELECT id FROM page ORDER BY id DESC LIMIT 1) FROM page
"""


class Likeness(NamedTuple):
    """`states`: of the addresses on the channel, oldest first: v (verified), u (unverified), x (retired). `chosen`: as `Asked.chosen` has
    it; empty: nothing was ever chosen."""

    channel: str
    variant: int
    timezone: str
    is_blocked: bool
    states: str
    chosen: str


@dataclass(frozen=True, slots=True)
class Asked:
    """`share`, `variant`: SQL over `r.id`, and over `p.id`; `held_out`: who has a smaller share gets nothing. `chosen`: SQL over `p.id`, a
    text that is the same for all who chose the same. `vetoed`: SQL over `e`, an audience_endpoint, true where its address must not be
    used. `begin`, `broadcast`, `cuts`: what ids are made of (ledger/broadcasts.py)."""

    tenant_id: UUID
    condition: Condition
    channels: Sequence[Channel]
    share: str
    variant: str
    chosen: str
    vetoed: str
    begin: UUID
    broadcast: UUID
    cuts: Sequence[UUID]
    parameters: Mapping[str, Any]
    held_out: int = 0


@dataclass(frozen=True, slots=True)
class Filled:
    """`people`: read, those held out included; `last`: of them."""

    people: int
    held_out: int
    last: UUID | None


def fill(asked: Asked, *, after: UUID | None, upto: UUID | None, size: int) -> Filled:
    """In the page's transaction."""
    execute(_TABLE, {})
    bounds = ("AND r.id > %(after)s " if after else "") + ("AND r.id <= %(upto)s" if upto else "")
    sql = _FILL.format(
        share=asked.share,
        condition=asked.condition.sql,
        bounds=bounds,
        variant=asked.variant,
        chosen=asked.chosen,
        state=_STATE,
        place=_PLACE,
        states=_ONE_OR_ALL.format(one="a.state", none="''", all=f"string_agg({_STATE}, '' ORDER BY e.id)"),
        endpoint_ids=_ONE_OR_ALL.format(one="ARRAY[a.id]", none="NULL", all="array_agg(e.id ORDER BY e.id)"),
        places=_ONE_OR_ALL.format(one="ARRAY[a.place]", none="NULL", all=f"array_agg({_PLACE} ORDER BY e.id)"),
        some=_SOME,
        odd=f"{_ODD} OR {asked.vetoed}",
        any_odd="is_odd" if len(asked.channels) == 1 else "bool_or(is_odd) OVER (PARTITION BY id)",
    )
    parameters = {
        "tenant": asked.tenant_id,
        "channels": [channel.value for channel in asked.channels],
        "begin": asked.begin,
        "hashed_with": bytes(8) + asked.broadcast.bytes + b"\x1f",
        "cuts": uuids(asked.cuts),
        "held_out": asked.held_out,
        "after": after,
        "upto": upto,
        "size": size,
        **asked.condition.parameters,
        **asked.parameters,
    }
    people, held_out, last = ask(sql, parameters)[0]
    return Filled(people, held_out, last)


def likenesses() -> list[Likeness]:
    """Of those on the page who are like others."""
    rows = fetch(
        """SELECT channel, variant, timezone, is_blocked, states, chosen FROM campaign_page WHERE NOT is_special
        GROUP BY channel, variant, timezone, is_blocked, states, chosen""",
        {},
    )
    return [Likeness(*row) for row in rows]


def set_apart(chosen: Collection[str]) -> None:
    """Who chose one of these is decided on by themselves."""
    # not = ANY: a plan that is made once would compare every one with every other
    sql = "UPDATE campaign_page SET is_special = true WHERE chosen IN (SELECT unnest(%(chosen)s::text[]))"
    execute(sql, {"chosen": list(chosen)})


def specials(*, all_of_them: bool = False) -> list[tuple[UUID, int]]:
    """(recipient, variant) of those who are decided on by themselves, in order; `all_of_them`: everybody on the page."""
    return fetch(
        """SELECT recipient_id, variant FROM campaign_page WHERE is_first AND (is_special OR %(all)s) ORDER BY recipient_id""",
        {"all": all_of_them},
    )
