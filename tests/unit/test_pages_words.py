"""The people's pages in three languages: nothing is left untranslated, and what is compiled is what was written."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation import gettext

from apps.pages import languages
from apps.pages.management.commands.compile_catalogues import catalogues, compiled
from tests.unit.pages_words import ROOT, every, of_code, of_templates

_PLACE = re.compile(r"%\(\w+\)[sd]")


def catalogue(code: str) -> dict[str, list[str]]:
    with (ROOT / "locale" / code / "LC_MESSAGES" / "django.po").open("rb") as file:
        found = read_po(file, locale=code, abort_invalid=True)
    return {
        message.id if isinstance(message.id, str) else message.id[0]: [message.string]
        if isinstance(message.string, str)
        else list(message.string)
        for message in found
        if message.id
    }


def test_the_sentences_are_found() -> None:
    assert "Undo" in of_templates() and "Saved." in of_code()
    assert {"Your settings", "about %(count)d a week", "Too many messages"} <= every()


@pytest.mark.parametrize("code", ["de", "ar"])
def test_every_sentence_is_translated(code: str) -> None:
    found = catalogue(code)
    assert found.keys() == every()
    assert [text for text, said in found.items() if not all(said)] == []
    wrong = [
        text for text, said in found.items() if any(set(_PLACE.findall(s)) != set(_PLACE.findall(text)) for s in said)
    ]
    assert wrong == []


def test_english_speaks_to_the_reader() -> None:
    found = catalogue("en")
    assert found.keys() <= every()
    spoken = {text: found.get(text, [text])[0] for text in every()}
    assert [said for said in spoken.values() if "recipient" in said] == []
    with translation.override("en"):
        assert gettext("The recipient muted it for a time.") == "You muted it for a time."


def test_what_is_compiled_is_what_was_written() -> None:
    paths = catalogues()
    assert [path.parts[-3] for path in paths] == ["ar", "de", "en"] == sorted(languages.LANGUAGES)
    for path in paths:
        assert path.with_suffix(".mo").read_bytes() == compiled(path), path


def test_the_image_has_the_catalogues() -> None:
    assert "COPY locale " in (ROOT / "Dockerfile").read_text()
    assert "!locale" in Path(ROOT / ".dockerignore").read_text().split()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "en"),
        ({"asked": "ar", "own": "de-CH"}, "ar"),
        ({"asked": "xx", "own": "de-CH", "accepted": "ar"}, "de"),
        ({"own": "fr", "accepted": "fr;q=1, ar-EG;q=0.7, de;q=0.8"}, "de"),
        ({"own": "fr", "accepted": "de;q=0", "tenants": "ar"}, "ar"),
        ({"own": "DE"}, "de"),
        ({"accepted": "*;q=0.5,,;;"}, "en"),
    ],
)
def test_a_person_gets_a_language_that_they_read(given: dict[str, str], found: str) -> None:
    assert languages.chosen(**{"asked": "", "own": "", "accepted": "", "tenants": ""} | given) == found
