"""What SQL says of everybody at once is what Python says of each: rules, and the funnel against the brain."""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.audience.countries import country_of
from apps.audience.models import Endpoint, Recipient
from apps.audience.segments import counting
from apps.audience.segments.compiling import EVERYBODY, condition_of
from apps.audience.segments.counting import Count, count
from apps.audience.segments.pages import has, last_id, page_of
from apps.audience.services import upsert_recipients
from apps.campaigns import sampling
from apps.campaigns.funnel import funnel, standings
from apps.core import clock
from apps.core.enums import Category, Channel
from apps.core.types import Default, InlineRecipient
from apps.dispatch import explaining, facts
from apps.preferences import choosing
from apps.preferences.models import DefaultPreference
from apps.routing.deciding import decide
from apps.routing.decisions import Skip
from tests.integration.admin_cast import acme
from tests.integration.segments_cast import EVENT, Made, choose, crowd

pytestmark = pytest.mark.django_db
PEOPLE = 150
CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.IN_APP)
# what objects before it is known whether anybody could send it
BEFORE = {"unknown_recipient", "blocked_recipient", "no_endpoint", "suppressed", "switched_off", "muted"}
OPERATORS = {"gt": float.__gt__, "gte": float.__ge__, "lt": float.__lt__, "lte": float.__le__}


@pytest.fixture
def made() -> Made:
    return crowd(acme(), PEOPLE, clock.now(), Random(5))


def _leaf(lot: Random) -> dict[str, Any]:
    field, op, value = lot.choice(
        [
            ("attributes.plan", lot.choice(["is", "is_not", "has"]), lot.choice(["pro", 7, True, "nobody"])),
            ("attributes.plan", "in", ["pro", 7]),
            ("attributes.plan", lot.choice(["before", "after"]), lot.choice(["2026-01-05", "2026-11-20"])),
            ("attributes.plan", lot.choice(["in_last_days", "not_in_last_days"]), 30),
            ("attributes.plan", lot.choice(["contains", "starts_with"]), "pr"),
            ("attributes.age", lot.choice(list(OPERATORS)), lot.choice([17.5, 18])),
            ("attributes.tags", "has", "a"),
            ("attributes.home.city", lot.choice(["is", "contains", "starts_with"]), lot.choice(["Bern", "Be%", "_"])),
            ("attributes.home.city", lot.choice(["exists", "missing"]), None),
            ("locale", lot.choice(["is", "is_not"]), lot.choice(["de", "de-CH", "en"])),
            ("locale", lot.choice(["exists", "missing"]), None),
            ("timezone", lot.choice(["is", "is_not", "starts_with"]), "Europe/Zurich"),
            ("country", lot.choice(["is", "is_not"]), lot.choice(["CH", "US"])),
            ("user_id", "in", ["u_1", "u_2", "u_77"]),
            ("created_at", lot.choice(["in_last_days", "not_in_last_days"]), 30),
            ("blocked", "is", True),
            ("address.email", lot.choice(["usable", "exists"]), lot.random() < 0.5),
        ]
    )
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def _tree(lot: Random, depth: int = 3) -> dict[str, Any]:
    if depth == 0 or lot.random() < 0.3:
        return _leaf(lot)
    return {lot.choice(["all", "any", "none"]): [_tree(lot, depth - 1) for _ in range(lot.randrange(1, 4))]}


class Oracle:
    """The same rules, read off one row by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.endpoints: dict[UUID, list[Any]] = {}
        for one in Endpoint.objects.all_tenants():
            self.endpoints.setdefault(one.recipient_id, []).append(one)

    def holds(self, row: Any, rule: dict[str, Any]) -> bool:
        for word, check in (("all", all), ("any", any)):
            if word in rule:
                return check(self.holds(row, part) for part in rule[word])
        if "none" in rule:
            return not any(self.holds(row, part) for part in rule["none"])
        field, op, value = rule["field"], rule["op"], rule.get("value")
        if field.startswith("attributes."):
            return self._attribute(row.attributes, field.split(".")[1:], op, value)
        if field.startswith("address."):
            here = [e for e in self.endpoints.get(row.id, []) if e.channel == "email" and e.retired_at is None]
            return any(op == "exists" or e.verified_at is not None for e in here) == value
        match field:
            case "blocked":
                return bool(row.blocked_at is not None)
            case "created_at":
                return bool(row.created_at >= self.now - timedelta(days=value)) == (op == "in_last_days")
            case "country":
                return (country_of(timezone=row.timezone, locale=row.locale) == value) == (op == "is")
            case "locale" if op in ("is", "is_not"):
                return bool(row.locale == value or row.locale.startswith(value + "-")) == (op == "is")
        text: str = getattr(row, field)
        return {
            "is": text == value,
            "is_not": text != value,
            "in": text in (value or ()),
            "starts_with": text.startswith(str(value)),
            "exists": bool(text),
            "missing": not text,
        }[op]

    def _attribute(self, held: Any, path: list[str], op: str, value: Any) -> bool:
        for name in path:
            held = held.get(name) if isinstance(held, dict) else None
        same = type(held) is type(value) and held == value
        text = held if isinstance(held, str) else "" if held is None else str(held)
        match op:
            case "is" | "is_not":
                return same == (op == "is")
            case "in":
                return any(type(held) is type(each) and held == each for each in value)
            case "has":
                return isinstance(held, list) and value in held
            case "contains" | "starts_with":
                return isinstance(held, str) and (value in text if op == "contains" else text.startswith(value))
            case "exists" | "missing":
                return (held is not None) == (op == "exists")
            case "gt" | "gte" | "lt" | "lte":
                is_number = isinstance(held, int | float) and not isinstance(held, bool)
                return is_number and OPERATORS[op](float(held), float(value))
        return self._day(text[:10], op, value)

    def _day(self, day: str, op: str, value: Any) -> bool:
        is_day = len(day) == 10 and day[4] == day[7] == "-"
        if op in ("before", "after"):
            return is_day and (day < value if op == "before" else day > value)
        first, today = (self.now - timedelta(days=value)).date().isoformat(), self.now.date().isoformat()
        return (is_day and first <= day <= today) == (op == "in_last_days")


def test_a_condition_finds_exactly_those_whom_its_rules_describe(made: Made) -> None:
    now, lot = datetime(2026, 11, 21, 12, tzinfo=clock.now().tzinfo), Random(17)
    rows, oracle = list(Recipient.objects.of(made.tenant).order_by("id")), Oracle(now)
    sizes = set()
    for _ in range(250):
        rule = _tree(lot)
        found = page_of(made.tenant.id, condition_of(made.tenant.id, rule, now), size=1_000)
        assert found == [row.id for row in rows if oracle.holds(row, rule)], rule
        sizes.add(len(found))
    assert len(sizes) > 30


def test_pages_are_the_whole_in_its_order_and_end_where_they_are_told(made: Made) -> None:
    tenant_id, now = made.tenant.id, clock.now()
    condition = condition_of(tenant_id, {"field": "blocked", "op": "is", "value": False}, now)
    german = condition_of(tenant_id, {"field": "locale", "op": "is", "value": "de"}, now)
    whole = page_of(tenant_id, condition, size=1_000)
    walked: list[UUID] = []
    while page := page_of(tenant_id, condition, after=walked[-1] if walked else None, size=7):
        walked += page
    assert walked == whole == sorted(whole)
    assert page_of(tenant_id, condition, after=whole[3], upto=whole[9], size=1_000) == whole[4:10]
    both = page_of(tenant_id, condition, size=1_000, extra=german)
    assert both == [id_ for id_ in whole if has(tenant_id, german, id_)] != []
    assert last_id(tenant_id) == max(made.ids.values())
    assert page_of(UUID(int=1), condition, size=1_000) == []


DEFAULTS: list[list[Default]] = [
    [],
    [Default("category:marketing", "*", False), Default("shop.*", "sms", True)],
    [Default("*", "email", False, is_locked=True, reason="x"), Default("shop.sale.*", "*", False)],
    [Default("category:critical", "*", True), Default(EVENT, "in_app", True, is_locked=True, reason="x")],
]


def test_the_funnel_agrees_with_the_brain_person_by_person(made: Made) -> None:
    now = clock.now()
    choose(made, now, Random(3))
    for defaults in DEFAULTS:
        DefaultPreference.objects.of(made.tenant).delete()
        DefaultPreference.objects.bulk_create(
            DefaultPreference(
                tenant_id=made.tenant.id, topic=d.topic, channel=d.channel, is_on=d.is_on, is_locked=d.is_locked
            )
            for d in defaults
        )
        choosing.forget_cached()
        for category, event_type in ((Category.MARKETING, EVENT), (Category.MARKETING, ""), (Category.CRITICAL, EVENT)):
            _agree(made, category, event_type, now)


def _agree(made: Made, category: Category, event_type: str, now: datetime) -> None:
    people, kind = sorted(made.ids.values()), sampling._event_type(made.tenant.id, category, event_type)
    asked = {id_: explaining._notification(explaining.Question(id_, kind, now, channels=CHANNELS)) for id_ in people}
    known = facts.load(list(asked.values()))
    about: dict[str, Any] = {"channels": CHANNELS, "category": category, "event_type": event_type, "now": now}
    got = {one.recipient_id: one for one in standings(made.tenant.id, people, **about)}
    reached = dict.fromkeys(CHANNELS, 0)
    for id_, n in asked.items():
        for channel in CHANNELS:
            decision = decide(known.case(n, channel, now))
            is_out = isinstance(decision, Skip) and decision.because.get("rule") in BEFORE
            assert got[id_].is_reached(channel) == (not is_out), (channel, decision)
            reached[channel] += not is_out
    assert 0 < sum(reached.values()) < len(people) * len(CHANNELS)
    whole = funnel(made.tenant.id, EVERYBODY, **about)
    assert {one.channel: one.not_suppressed for one in whole.channels} == reached
    assert (whole.matched, whole.is_exact) == (PEOPLE, True)
    for one in whole.channels:
        assert one.has_address >= one.allowed >= one.not_suppressed == one.under_caps


@pytest.mark.parametrize("name", ['a"b', "a\\b", "$", "é b", "line\nfeed", "💥", "@", "a'b", "%s"])
def test_any_name_and_any_number_can_be_asked_about(name: str) -> None:
    tenant, now = acme(), clock.now()
    for place, number in enumerate((-1.5, 1e-7, 10**15, 0)):
        person = InlineRecipient(user_id=f"u_{place}", attributes={name: number})
        (id_,) = upsert_recipients(tenant=tenant, inline=[person]).values()
        for op, value, expected in (
            ("is", number, True),
            ("gte", number, True),
            ("gt", number, False),
            ("lt", 1e15, place != 2),
        ):
            rule = {"field": f"attributes.{name}", "op": op, "value": value}
            assert has(tenant.id, condition_of(tenant.id, rule, now), id_) == expected, (op, value)
        for op, value in (("contains", name), ("starts_with", "x"), ("before", "2026-01-01"), ("has", name)):
            rule = {"field": f"attributes.{name}", "op": op, "value": value}
            assert not has(tenant.id, condition_of(tenant.id, rule, now), id_)


def test_a_count_that_takes_too_long_is_about_right_and_says_so(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audience_recipient")
        slow = condition_of(made.tenant.id, {"field": "blocked", "op": "is", "value": False}, clock.now())
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()
        exact = count(made.tenant.id, slow, within_ms=60_000)
        real, calls = counting.ask_within, []

        def late(sql: str, parameters: Any, within_ms: int) -> Any:
            calls.append(within_ms)
            if len(calls) == 1:
                return real("SELECT pg_sleep(10)", {}, 1)
            return real(sql, parameters, 60_000)

        monkeypatch.setattr(counting, "ask_within", late)
        assert count(made.tenant.id, slow, within_ms=5) == Count(counting.rounded(exact.number), False)
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == before
        assert Recipient.objects.of(made.tenant).count() == PEOPLE
