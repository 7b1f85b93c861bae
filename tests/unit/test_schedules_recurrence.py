"""Rules of RFC 5545: what they mean (against dateutil), what is refused, and how much work they may cost."""

from datetime import datetime, timedelta
from itertools import islice
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.schedules.recurrence import walls
from apps.schedules.rules import WEEKDAYS, Rule, RuleError, parse_rule

START = datetime.fromisoformat("2027-01-04T09:00:00")


def read(text: str, start: datetime = START) -> Rule:
    return parse_rule(text, start, None)


def first(text: str, count: int, start: datetime = START, after: datetime | None = None) -> list[str]:
    return [wall.isoformat(timespec="minutes") for wall in islice(walls(read(text, start), start, after), count)]


def some(low: int, high: int, most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(st.integers(low, high), min_size=1, max_size=most, unique=True).map(lambda n: ",".join(map(str, n)))


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, datetime]:
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5 if freq < 'N' else 90))}"]
    day = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True).map(",".join)
    nth = st.tuples(st.sampled_from([1, 2, 3, 4, 5, -1, -2]), st.sampled_from(WEEKDAYS)).map(lambda t: f"{t[0]}{t[1]}")
    options = {"BYMONTH": some(1, 12), "BYHOUR": some(0, 23), "BYMINUTE": some(0, 59)}
    options["BYDAY"] = st.one_of(day, nth) if freq in {"YEARLY", "MONTHLY"} else day
    if freq != "WEEKLY":
        options["BYMONTHDAY"] = st.one_of(some(1, 31), some(-31, -1, 2))
    chosen = draw(st.lists(st.sampled_from(sorted(options)), max_size=3, unique=True))
    parts += [f"{name}={draw(options[name])}" for name in chosen]
    wkst = draw(st.sampled_from(WEEKDAYS))
    parts.append(f"WKST={wkst}")
    start = START + timedelta(minutes=draw(st.integers(0, 2_000_000)))
    if chosen and freq in {"YEARLY", "MONTHLY", "WEEKLY", "DAILY"} and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from(['1', '-1', '2', '1,-1', '-3']))}")
        # dateutil counts in the rest of the first week only
        start -= timedelta(days=(start.weekday() - WEEKDAYS.index(wkst)) % 7)
    return ";".join(parts), start


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(rules(), st.integers(0, 20))
def test_it_means_what_dateutil_means(found: tuple[str, datetime], skip: int) -> None:
    text, start = found
    ends = start + timedelta(days=40 if "MINUTELY" in text or "HOURLY" in text else 1_500)
    try:
        theirs = rrulestr(f"{text};UNTIL={ends:%Y%m%dT%H%M%S}", dtstart=start)
    except ValueError:
        # dateutil sees by itself that an interval never meets its hours or minutes
        assert not list(islice(walls(read(text, start), start), 1))
        return
    expected = list(islice(theirs, 40))
    ours = [wall for wall in islice(walls(read(text, start), start), 40) if wall <= ends]
    assert ours == expected
    if len(expected) > skip:
        after = expected[skip]
        later = [wall for wall in islice(walls(read(text, start), start, after), 10) if wall <= ends]
        assert later[: len(expected) - skip - 1] == expected[skip + 1 : skip + 11]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY", ["2027-01-04T09:00", "2027-01-05T09:00", "2027-01-06T09:00"]),
        ("RRULE:freq=weekly;byday=mo,fr", ["2027-01-04T09:00", "2027-01-08T09:00", "2027-01-11T09:00"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2027-01-29T09:00", "2027-02-26T09:00", "2027-03-26T09:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2027-01-31T09:00", "2027-03-31T09:00", "2027-05-31T09:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2027-01-29T09:00", "2027-02-26T09:00", "2027-03-31T09:00"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29T09:00", "2032-02-29T09:00", "2036-02-29T09:00"]),
        ("FREQ=MINUTELY;INTERVAL=45", ["2027-01-04T09:00", "2027-01-04T09:45", "2027-01-04T10:30"]),
        ("FREQ=HOURLY;INTERVAL=5", ["2027-01-04T09:00", "2027-01-04T14:00", "2027-01-04T19:00"]),
    ],
)
def test_a_rule_gives_these_times(text: str, expected: list[str]) -> None:
    assert first(text, 3) == expected


def test_count_and_until_end_it() -> None:
    assert first("FREQ=DAILY;COUNT=2", 9) == ["2027-01-04T09:00", "2027-01-05T09:00"]
    assert first("FREQ=DAILY;COUNT=2", 9, after=START) == ["2027-01-05T09:00"]
    assert first("FREQ=DAILY;UNTIL=20270105T090000", 9) == ["2027-01-04T09:00", "2027-01-05T09:00"]
    assert first("FREQ=DAILY;UNTIL=20270105T085959", 9) == ["2027-01-04T09:00"]
    assert first("FREQ=DAILY;UNTIL=20270105", 9) == ["2027-01-04T09:00", "2027-01-05T09:00"]


def test_an_until_in_utc_is_read_on_the_clock_of_the_zone() -> None:
    rule = parse_rule("FREQ=DAILY;UNTIL=20270105T075959Z", START, ZoneInfo("Europe/Berlin"))
    assert rule.until == datetime.fromisoformat("2027-01-05T08:59:59")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FREQ=SECONDLY", "unsupported_rule"),
        ("FREQ=DAILY;BYSECOND=30", "unsupported_rule"),
        ("FREQ=YEARLY;BYWEEKNO=20", "unsupported_rule"),
        ("FREQ=YEARLY;BYYEARDAY=100", "unsupported_rule"),
        ("FREQ=YEARLY;BYEASTER=0", "unsupported_rule"),
        ("FREQ=MONTHLY;BYDAY=MO,1TU", "unsupported_rule"),
        ("FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1", "unsupported_rule"),
        ("", "invalid_rule"),
        ("DAILY", "invalid_rule"),
        ("INTERVAL=2", "invalid_rule"),
        ("FREQ=FORTNIGHTLY", "invalid_rule"),
        ("FREQ=DAILY;FREQ=DAILY", "invalid_rule"),
        ("FREQ=DAILY;INTERVAL=0", "invalid_rule"),
        ("FREQ=DAILY;INTERVAL=x", "invalid_rule"),
        ("FREQ=DAILY;COUNT=10001", "invalid_rule"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "invalid_rule"),
        ("FREQ=DAILY;UNTIL=20271341", "invalid_rule"),
        ("FREQ=DAILY;UNTIL=20270101T090000Z", "invalid_rule"),
        ("FREQ=DAILY;BYHOUR=24", "invalid_rule"),
        ("FREQ=DAILY;BYMONTHDAY=0", "invalid_rule"),
        ("FREQ=DAILY;BYMONTHDAY=-32", "invalid_rule"),
        ("FREQ=DAILY;BYHOUR=-1", "invalid_rule"),
        ("FREQ=WEEKLY;BYDAY=1MO", "invalid_rule"),
        ("FREQ=WEEKLY;BYDAY=XX", "invalid_rule"),
        ("FREQ=MONTHLY;BYDAY=0MO", "invalid_rule"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "invalid_rule"),
        ("FREQ=MONTHLY;BYSETPOS=1", "invalid_rule"),
        ("FREQ=DAILY;WKST=XX", "invalid_rule"),
        ("FREQ=DAILY;X-MINE=1", "invalid_rule"),
        ("FREQ=DAILY;BYHOUR=\u0661", "invalid_rule"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 300), "invalid_rule"),
    ],
)
def test_it_refuses(text: str, code: str) -> None:
    with pytest.raises(RuleError) as refused:
        read(text)
    assert (refused.value.code, bool(refused.value.detail)) == (code, True)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2",
        "FREQ=MINUTELY;BYMONTHDAY=30;BYMONTH=2",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=10",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=3",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2,4,6,9,11;BYDAY=MO;BYSETPOS=3",
        "FREQ=YEARLY;BYDAY=53MO;BYMONTH=1;INTERVAL=1000",
    ],
)
def test_a_rule_that_never_fires_ends_after_bounded_work(text: str) -> None:
    begun = process_time()
    assert first(text, 1) == []
    assert process_time() - begun < 10


def test_a_rule_that_began_long_ago_is_not_walked_from_its_start() -> None:
    long_ago = datetime.fromisoformat("1971-01-01T00:00:00")
    begun = process_time()
    assert first("FREQ=MINUTELY;INTERVAL=7", 1, start=long_ago, after=START) == ["2027-01-04T09:05"]
    assert first("FREQ=DAILY;INTERVAL=3;BYMINUTE=0,30", 1, start=long_ago, after=START) == ["2027-01-07T00:00"]
    assert process_time() - begun < 3
