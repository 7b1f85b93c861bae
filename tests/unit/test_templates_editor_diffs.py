"""Two versions side by side."""

from apps.templates.differing import Row, compare, lines
from apps.templates.selectors import VariantRow


def variant(channel: str, locale: str, **source: str) -> VariantRow:
    return VariantRow(channel, locale, source, {})


def told(rows: tuple[Row, ...]) -> list[tuple[str, int | None, int | None]]:
    return [(row.kind, row.before.number, row.after.number) for row in rows]


def test_variants_are_same_changed_added_or_removed() -> None:
    before = [variant("sms", "", body="a"), variant("sms", "de", body="b"), variant("push", "", title="t")]
    after = [variant("sms", "", body="a"), variant("sms", "de", body="c"), variant("email", "", subject="s")]
    found = [
        (one.channel, one.locale, one.kind, [field.name for field in one.fields]) for one in compare(before, after)
    ]
    assert found == [
        ("sms", "", "same", []),
        ("sms", "de", "changed", ["body"]),
        ("email", "", "added", ["subject"]),
        ("push", "", "removed", ["title"]),
    ]


def test_fields_come_in_the_order_of_the_editor() -> None:
    (one,) = compare([], [variant("email", "", html="h", text="t", preheader="p", subject="s")])
    assert [field.name for field in one.fields] == ["subject", "preheader", "html", "text"]


def test_the_words_that_changed_are_marked() -> None:
    (row,) = lines("Hello dear Rosa", "Hello Rosa!")
    assert row.before.pieces == ((False, "Hello "), (True, "dear "), (False, "Rosa"))
    assert row.after.pieces == ((False, "Hello "), (False, "Rosa"), (True, "!"))


def test_lines_are_added_and_removed_at_their_places() -> None:
    assert told(lines("a\nb\nc", "a\nc\nd")) == [
        ("same", 1, 1),
        ("removed", 2, None),
        ("same", 3, 2),
        ("added", None, 3),
    ]
    assert told(lines("", "x\ny")) == [("added", None, 1), ("added", None, 2)]


def test_long_stretches_of_the_same_are_left_out() -> None:
    text = "\n".join(str(n) for n in range(20))
    rows = lines(text, text.replace("10", "ten"))
    assert [(row.kind, row.skipped) for row in rows] == [
        ("skipped", 7),
        *[("same", 0)] * 3,
        ("changed", 0),
        *[("same", 0)] * 3,
        ("skipped", 6),
    ]
    assert lines("a\r\nb", "a\nb") == (Row("skipped", skipped=2),)


def test_every_line_of_both_is_there_once() -> None:
    before, after = "a\nb\nb\nc\nd", "b\nx\nc\nc\nd\ne"
    rows = lines(before, after)
    assert [row.before.number for row in rows if row.before.number] == [1, 2, 3, 4, 5]
    assert [row.after.number for row in rows if row.after.number] == [1, 2, 3, 4, 5, 6]
    assert "\n".join("".join(t for _, t in row.after.pieces) for row in rows if row.after.number) == after


def test_texts_without_end_are_compared_place_by_place() -> None:
    rows = lines("a\n" * 5_000, "b\n" * 5_000 + "c")
    assert {row.kind for row in rows} == {"changed"}
    assert len(rows) == 5_001
    (row,) = lines("x y " * 30_000, "y x " * 30_000)
    assert [is_changed for is_changed, _ in row.before.pieces] == [True]
