"""What a change looks like to who publishes it: short, and without what is nobody's business."""

import pytest

from apps.templates.comparing import difference, masked, secrets_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to rosa.m+x@mail.example.com now", "Write to •••@mail.example.com now"),
        ("Call +49 151 2345678", "Call •••78"),
        ("Order 1029 of 2026", "Order 1029 of 2026"),
        ("Your code is 4711.", "Your code is •••."),
    ],
)
def test_addresses_numbers_and_secrets_are_masked(text: str, shown: str) -> None:
    assert masked(text, {"4711"}) == shown


def test_secrets_are_what_stands_below_sensitive_keys() -> None:
    data = {"code": 4711, "card": {"no": "5500", "names": ["Rosa", None, True]}, "order": "A-1", "no": "x"}
    assert secrets_of(data, {"code", "card", "no", "absent"}) == {"4711", "5500", "Rosa"}


def test_only_what_differs_is_shown_with_what_stands_around_it() -> None:
    old = {"subject": "Hi", "html": "<p>A</p><p>B</p><p>C</p>", "text": "x"}
    new = {"subject": "Hi", "html": "<p>A</p><p>Z</p><p>C</p>", "preheader": "new"}
    assert difference(old, new) == {
        "html": ("@@ -1,3 +1,3 @@", " <p>A</p>", "-<p>B</p>", "+<p>Z</p>", " <p>C</p>"),
        "text": ("@@ -1 +0,0 @@", "-x"),
        "preheader": ("@@ -0,0 +1 @@", "+new"),
    }
    assert difference(old, old) == {}


def test_a_change_within_what_is_masked_is_said_and_not_shown() -> None:
    assert difference({"body": "Code 4711"}, {"body": "Code 4712"}, {"4711", "4712"}) == {
        "body": ("  Only what is masked here, or far below, differs.",)
    }


def test_it_stays_short() -> None:
    """And takes no time for it, whatever the words in it."""
    old = {"text": "\n".join(f"old {n}" for n in range(2_000)) + "x" * 150_000}
    new = {"text": "\n".join(f"new {n} " + "x" * 500 for n in range(2_000))}
    lines = difference(old, new)["text"]
    assert (len(lines), max(len(line) for line in lines)) == (18, 201)
    assert lines[-1] == "  … and 784 lines more"
