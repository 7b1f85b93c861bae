"""Fields of people themselves: what they are, where they live, how they are reached, since when they are known."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from apps.audience.countries import zones_by_country
from apps.audience.segments.fields import Asked, Field, Kind, one_of, register
from apps.core.enums import Channel
from apps.core.locales import canonical_locale, is_country, is_timezone

MOST_PARTS = 5
LONGEST_PART = 64
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_EQUAL = {"is": Kind.TEXT, "is_not": Kind.TEXT, "in": Kind.TEXTS}
_SINCE = {"before": Kind.DATE, "after": Kind.DATE, "in_last_days": Kind.DAYS, "not_in_last_days": Kind.DAYS}
ADDRESSED = (Channel.EMAIL.value, Channel.SMS.value, Channel.PUSH.value)


def _is_attribute(path: str) -> bool:
    """Names within names, by dots."""
    parts = path.split(".")
    return len(parts) <= MOST_PARTS and all(1 <= len(part) <= LONGEST_PART and "\x00" not in part for part in parts)


def _attribute(asked: Asked) -> str:
    """Equality is containment, which an index knows; what compares numbers reads each person's value once, as a JSON path."""
    parts, op, value = asked.path.split("."), asked.op, asked.value
    match op:
        case "is":
            return _holds(asked, parts, value)
        case "is_not":
            return f"NOT {_holds(asked, parts, value)}"
        case "has":
            return _holds(asked, parts, [value])
        case "in":
            return "(" + " OR ".join(_holds(asked, parts, each) for each in value) + ")"
        case "gt" | "gte" | "lt" | "lte":
            path = f"{_json_path(parts)} {_COMPARISONS[op]} {json.dumps(value)}"
            return f"coalesce(r.attributes @@ {asked.put(path, 'jsonpath')}, false)"
        case "exists" | "missing":
            # null is what a caller sends for a value that there is not
            return f"{_text(asked, parts)} IS {'NOT ' if op == 'exists' else ''}NULL"
        case "contains":
            return f"coalesce(strpos({_text(asked, parts)}, {asked.put(value, 'text')}) > 0, false)"
        case "starts_with":
            return f"coalesce(starts_with({_text(asked, parts)}, {asked.put(value, 'text')}), false)"
    return _attribute_day(asked, parts)


def _attribute_day(asked: Asked, parts: list[str]) -> str:
    """Days as texts in the order of ISO 8601: `2026-01-31`, and whatever time follows; anything else is no day."""
    today = asked.now.astimezone(UTC).date()
    match asked.op:
        case "before":
            return _in_days(asked, parts, None, asked.value)
        case "after":
            day = date.fromisoformat(asked.value)
            return _in_days(asked, parts, (day + timedelta(days=1)).isoformat(), None) if day < date.max else "FALSE"
    first, end = today - timedelta(days=asked.value), today + timedelta(days=1)
    recent = _in_days(asked, parts, first.isoformat(), end.isoformat())
    return recent if asked.op == "in_last_days" else f"NOT {recent}"


def _in_days(asked: Asked, parts: list[str], first: str | None, end: str | None) -> str:
    """A time of a day comes after its day, and before the next one; `:` comes after every digit."""
    text = _text(asked, parts)
    begins = f'{text} >= {asked.put(first or "0", "text")} COLLATE "C"'
    ends = f'{text} < {asked.put(end or ":", "text")} COLLATE "C"'
    return f"coalesce({begins} AND {ends} AND {text} LIKE '____-__-__%%', false)"


def _holds(asked: Asked, parts: list[str], value: Any) -> str:
    inner = value
    for part in reversed(parts):
        inner = {part: inner}
    return f"r.attributes @> {asked.put(json.dumps(inner, ensure_ascii=False), 'jsonb')}"


def _json_path(parts: list[str]) -> str:
    return "$" + "".join("." + json.dumps(part, ensure_ascii=False) for part in parts)


def _text(asked: Asked, parts: list[str]) -> str:
    if len(parts) == 1:
        return f"(r.attributes ->> {asked.put(parts[0], 'text')})"
    return f"(r.attributes #>> {asked.put(parts, 'text[]')})"


def _column(name: str) -> Any:
    def write(asked: Asked) -> str:
        match asked.op:
            case "is":
                return f"r.{name} = {asked.put(asked.value, 'text')}"
            case "is_not":
                return f"r.{name} <> {asked.put(asked.value, 'text')}"
            case "in":
                return f"r.{name} = ANY({asked.put(list(asked.value), 'text[]')})"
            case "starts_with":
                return f"starts_with(r.{name}, {asked.put(asked.value, 'text')})"
            case "exists":
                return f"r.{name} <> ''"
        return f"r.{name} = ''"

    return write


def _locale(asked: Asked) -> str:
    """`de` is `de-CH` too."""
    if asked.op in ("exists", "missing"):
        return str(_column("locale")(asked))
    tags = asked.value if isinstance(asked.value, tuple) else (asked.value,)
    known = [canonical_locale(tag) or tag for tag in tags]
    # one operator, so that the planner, which sorts by their number, looks at the column before it looks into attributes
    patterns = asked.put([pattern for tag in known for pattern in (tag, f"{tag}-%")], "text[]")
    found = f"r.locale LIKE ANY({patterns})"
    return f"NOT ({found})" if asked.op == "is_not" else found


def _country(asked: Asked) -> str:
    """Of the time zone, else of the locale. A number tells countries too, but numbers are encrypted: SQL cannot read them."""
    by_country = zones_by_country()
    located = asked.put(sorted(zone for zones in by_country.values() for zone in zones), "text[]")
    if asked.op in ("exists", "missing"):
        found = f"(r.timezone = ANY({located}) OR r.locale ~ '-[A-Z]{{2}}$')"
        return found if asked.op == "exists" else f"NOT {found}"
    codes = asked.value if isinstance(asked.value, tuple) else (asked.value,)
    zones = asked.put(sorted(zone for code in codes for zone in by_country.get(code, ())), "text[]")
    regions = asked.put([f"%-{code}" for code in codes], "text[]")
    found = f"(r.timezone = ANY({zones}) OR (r.locale LIKE ANY({regions}) AND NOT r.timezone = ANY({located})))"
    return f"NOT {found}" if asked.op == "is_not" else found


def _known_since(asked: Asked) -> str:
    return since("r.created_at", asked)


def since(column: str, asked: Asked) -> str:
    """A moment against days: UTC days for `before` and `after`, whole days of 24 hours before now for the others. For a column that is
    never NULL."""
    if asked.op in ("before", "after"):
        day = date.fromisoformat(asked.value)
        if asked.op == "before":
            return f"{column} < {asked.put(datetime.combine(day, time(0), UTC), 'timestamptz')}"
        if day == date.max:
            return "FALSE"
        return f"{column} >= {asked.put(datetime.combine(day + timedelta(days=1), time(0), UTC), 'timestamptz')}"
    sign = ">=" if asked.op == "in_last_days" else "<"
    return f"{column} {sign} {asked.put(asked.now - timedelta(days=asked.value), 'timestamptz')}"


def _address(asked: Asked) -> str:
    """`exists`: whatever its state but retired; `usable`: verified as well, which is what a message needs."""
    is_verified = " AND e.verified_at IS NOT NULL" if asked.op == "usable" else ""
    found = (
        f"EXISTS (SELECT FROM audience_endpoint e WHERE e.tenant_id = {asked.tenant} AND e.recipient_id = r.id"
        f" AND e.channel = {asked.put(asked.path, 'text')} AND e.retired_at IS NULL{is_verified})"
    )
    return found if asked.value else f"NOT {found}"


def _blocked(asked: Asked) -> str:
    return f"r.blocked_at IS {'NOT ' if asked.value else ''}NULL"


def _zone_check(op: str, value: Any) -> str:
    is_known = op == "starts_with" or is_timezone(value)
    return "" if is_known else f"There is no time zone `{value}`: send an IANA name, e.g. Europe/Berlin."


def _locale_check(_: str, value: Any) -> str:
    return "" if canonical_locale(value) else f"There is no locale `{value}`: send a BCP 47 tag, e.g. de or de-CH."


def _country_check(_: str, value: Any) -> str:
    return "" if is_country(value) else f"There is no country `{value}`: send two letters of ISO 3166-1, e.g. DE."


_PRESENCE = {"exists": Kind.NOTHING, "missing": Kind.NOTHING}

_FIELDS = (
    Field(
        key="attributes.",
        label="Attribute",
        ops={
            "is": Kind.SCALAR,
            "is_not": Kind.SCALAR,
            "in": Kind.SCALARS,
            "has": Kind.SCALAR,
            "contains": Kind.TEXT,
            "starts_with": Kind.TEXT,
            **dict.fromkeys(_COMPARISONS, Kind.NUMBER),
            **_SINCE,
            **_PRESENCE,
        },
        write=_attribute,
        has_path=_is_attribute,
    ),
    Field("user_id", "User id", _EQUAL | {"starts_with": Kind.TEXT}, _column("user_id"), weight=0),
    Field("locale", "Language", _EQUAL | _PRESENCE, _locale, _locale_check, weight=0),
    Field(
        "timezone",
        "Time zone",
        _EQUAL | {"starts_with": Kind.TEXT} | _PRESENCE,
        _column("timezone"),
        _zone_check,
        weight=0,
    ),
    Field("country", "Country", _EQUAL | _PRESENCE, _country, _country_check),
    Field("created_at", "Known since", _SINCE, _known_since, weight=0),
    Field("blocked", "Blocked", {"is": Kind.BOOL}, _blocked, weight=0),
    Field(
        key="address.",
        label="Address",
        ops={"usable": Kind.BOOL, "exists": Kind.BOOL},
        write=_address,
        has_path=one_of(ADDRESSED),
        paths=ADDRESSED,
        group="Address",
        weight=2,
    ),
)


def register_all() -> None:
    register(*_FIELDS)
