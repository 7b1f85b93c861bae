"""STOP, START and HELP as people write them."""

import pytest

from apps.receipts.keywords import WORDS, keyword, normalized


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("STOP", "stop"),
        ("stop", "stop"),
        ("  Stop!! \n", "stop"),
        ("«Stop».", "stop"),
        ("Stop all", "stop"),
        ("STOPALL", "stop"),
        ("Opt-out", "stop"),
        ("ＳＴＯＰ", "stop"),  # noqa: RUF001
        ("st\u200bop\ufeff", "stop"),
        ("Stopp", "stop"),
        ("abmelden 😡", "stop"),
        ("ARRÊT", "stop"),
        ("arret", "stop"),
        ("Desabonner", "stop"),
        ("Désabonner", "stop"),
        ("alto", "stop"),
        ("No mas", "stop"),
        ("إيقاف", "stop"),
        ("ايقاف", "stop"),
        ("إيقـــاف", "stop"),
        ("İPTAL", "stop"),
        ("çıkış", "stop"),  # noqa: RUF001
        ("CIKIS", "stop"),
        ("退订", "stop"),
        ("配信停止。", "stop"),
        ("START", "start"),
        ("Yes.", "start"),
        ("unstop", "start"),
        ("Sí", "start"),
        ("ابدأ", "start"),
        ("Help?", "help"),
        ("info", "help"),
        ("HILFE", "help"),
        ("ヘルプ", "help"),
        ("ﾍﾙﾌﾟ", "help"),
        ("", ""),
        ("?", ""),
        ("Stop by at five", ""),
        ("Please don't stop", ""),
        ("yes please, where is my order", ""),
        ("bus stop", ""),
        ("4711", ""),
        ("st op", ""),
    ],
)
def test_it_knows_the_word_however_it_is_written(text: str, meaning: str) -> None:
    assert keyword(text) == meaning


def test_no_word_means_two_things() -> None:
    meanings: dict[str, set[str]] = {}
    for words in WORDS.values():
        assert words.keys() == {"stop", "start", "help"}
        for meaning, listed in words.items():
            for word in listed.split(", "):
                assert normalized(word)
                meanings.setdefault(normalized(word), set()).add(meaning)
    assert {word: found for word, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize("word", ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"])
def test_it_knows_every_word_that_twilio_stops_at(word: str) -> None:
    assert keyword(word) == "stop"
