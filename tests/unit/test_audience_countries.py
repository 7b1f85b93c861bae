"""The country of a person."""

import pytest

from apps.audience.countries import country_of

CASES = [
    ("nothing", {}, ""),
    ("a zone", {"timezone": "Europe/Zurich", "locale": "de-DE"}, "CH"),
    ("a zone that is a link to another country's", {"timezone": "Europe/Oslo"}, "NO"),
    ("an old name", {"timezone": "Asia/Calcutta"}, "IN"),
    ("an old name of America", {"timezone": "US/Eastern"}, "US"),
    ("a zone of no country", {"timezone": "Etc/GMT+5", "locale": "es-PE"}, "PE"),
    ("UTC says nothing", {"timezone": "UTC", "phones": ["+919812345678"]}, "IN"),
    ("no zone at all", {"timezone": "Mars/Olympus_Mons", "phones": ["+4915112345678"]}, "DE"),
    ("the zone before the number", {"timezone": "America/New_York", "phones": ["+4915112345678"]}, "US"),
    ("the number before the language", {"phones": ["+12042345678"], "locale": "en-US"}, "CA"),
    ("the newest number", {"phones": ["+33612345678", "+4915112345678"]}, "FR"),
    ("a number of no country", {"phones": ["+80012345678", "+4915112345678"]}, "DE"),
    ("no number", {"phones": ["12"], "locale": "fr"}, ""),
    ("a language with its region", {"locale": "zh-Hant-TW"}, "TW"),
    ("a language without", {"locale": "de"}, ""),
    ("a continent", {"locale": "es-419"}, ""),
]


@pytest.mark.parametrize(("_name", "known", "country"), CASES, ids=[name for name, _, _ in CASES])
def test_the_best_evidence_tells(_name: str, known: dict[str, object], country: str) -> None:
    assert country_of(**known) == country  # type: ignore[arg-type]
