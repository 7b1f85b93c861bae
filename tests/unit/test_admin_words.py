"""How the admin says things: times, ids, frames, mistakes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.core import admin_bases, admin_mail, clock, ids
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.ledger.admin import looks
from apps.templates.admin.mistakes import mistakes
from apps.templates.forms import VariantForm


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-0.5, "+0 ms"),
        (0, "+0 ms"),
        (0.0124, "+12 ms"),
        (3.14, "+3.1 s"),
        (59.9, "+59.9 s"),
        (60, "+1 min"),
        (250, "+4 min 10 s"),
        (3_600, "+1 h"),
        (7_500, "+2 h 5 min"),
        (86_400 * 3 + 3_700, "+3 d 1 h"),
    ],
)
def test_a_delta_has_two_units_at_most(seconds: float, said: str) -> None:
    assert looks.delta(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (4, "4 s"), (200, "3 min"), (7_200, "2 h"), (400_000, "5 d")]
)
def test_an_age_has_one_unit(seconds: float, said: str) -> None:
    assert admin_bases.ago(seconds) == said


def test_an_id_is_shortened_and_whole_in_its_title() -> None:
    whole = ids.show(ids.NOTIFICATION, UUID(int=1 << 100))
    shown = admin_bases.shown(ids.NOTIFICATION, UUID(int=1 << 100))
    assert f'title="{whole}"' in shown
    assert f">{whole[:7]}…{whole[-6:]}<" in shown


def test_a_moment_of_today_is_a_time_and_an_older_one_has_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2027, 3, 1, 12, 0, 5, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: noon)
    assert ">12:00:05<" in admin_bases.moment(noon)
    assert ">27 Feb 12:00<" in admin_bases.moment(noon - timedelta(days=2))
    assert admin_bases.moment(None) == "-"


def test_a_mail_gets_its_policy_before_its_own_words() -> None:
    framed = admin_mail.framed("<p>Hello</p>")
    assert framed.index("default-src 'none'") < framed.index("<p>Hello</p>")
    assert admin_mail.framed("") == ""


def test_every_reason_is_a_sentence_and_an_unknown_one_stays() -> None:
    assert looks.words("suppressed") == "The address is suppressed after a bounce, a complaint or an opt-out."
    assert looks.words("from the future") == "from the future"


def variant(place: int, **said: str) -> VariantForm:
    data = {f"v{place}-{name}": text for name, text in said.items()}
    return VariantForm(data, prefix=f"v{place}", channel=Channel.SMS, is_layout=False)


def test_a_mistake_is_cut_at_its_place() -> None:
    problem = Problem(
        Code.TEMPLATE_INVALID, errors=[FieldError("/variants/1/body", "syntax_error", "Not good.", line=2, column=4)]
    )
    (found,) = mistakes(problem, [variant(0, body="x"), variant(1, locale="de", body="one\r\ntwo three")])
    assert (found.where, found.before, found.at, found.after) == ("sms, de, body", "two", " ", "three")
    assert found.anchor == "id_v1-body"


@pytest.mark.parametrize(("line", "column"), [(None, None), (9, 1), (0, 0), (1, None)])
def test_a_mistake_without_a_place_has_no_excerpt(line: int | None, column: int | None) -> None:
    problem = Problem(Code.TEMPLATE_INVALID, errors=[FieldError("/variants/0/body", "empty", "Empty.", line, column)])
    (found,) = mistakes(problem, [variant(0, body="x")])
    assert (found.before, found.at, found.after) == ("", "", "")


def test_a_mistake_at_the_end_of_a_line_is_marked_there() -> None:
    problem = Problem(
        Code.TEMPLATE_INVALID, errors=[FieldError("/variants/0/body", "syntax_error", "Not closed.", line=1, column=4)]
    )
    (found,) = mistakes(problem, [variant(0, body="abc\nd")])
    assert (found.before, found.at, found.after) == ("abc", "⏎", "")


@pytest.mark.parametrize("pointer", ["/variants", "/variants/7/body", "/layout", "", "/variants/x/body"])
def test_a_mistake_of_the_whole_belongs_to_no_variant(pointer: str) -> None:
    problem = Problem(Code.TEMPLATE_INVALID, errors=[FieldError(pointer, "layout", "It would break others.")])
    (found,) = mistakes(problem, [variant(0, body="x")])
    assert (found.said, found.anchor) == ("It would break others.", "")


def test_a_problem_without_places_is_one_mistake() -> None:
    (found,) = mistakes(Problem(Code.NOTHING_TO_PUBLISH), [])
    assert found.said == Code.NOTHING_TO_PUBLISH.meaning
