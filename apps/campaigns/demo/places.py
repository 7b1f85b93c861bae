"""Where the people of the demo live: twenty clocks, the languages spoken there, and telephone numbers that belong to nobody.

Numbers come from the ranges that regulators keep free for films and examples: Ofcom (United Kingdom), Arcep (France), the Bundesnetzagentur
(Germany), and 555-0100 to 555-0199 of every area code of North America. Where there is no such range nobody has a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """`locales`: as often as they stand here. `numbers`: how they begin, each followed by `digits` digits."""

    city: str
    timezone: str
    locales: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    digits: int = 2

    def number(self, place: int) -> str:
        """The one at that place in its range; empty: the range is too small."""
        head, rest = divmod(place, 10**self.digits)
        return f"{self.numbers[head]}{rest:0{self.digits}}" if head < len(self.numbers) else ""


def _america(*areas: int) -> tuple[str, ...]:
    return tuple(f"+1{area}55501" for area in areas)


EUROPE: Sequence[Place] = (
    Place("Berlin", "Europe/Berlin", ("de", "de", "de", "en"), ("+4917139200", "+49176040690")),
    Place("Zürich", "Europe/Zurich", ("de-CH", "de-CH", "fr-CH")),
    Place("Paris", "Europe/Paris", ("fr", "fr", "fr", "ar"), ("+3363998",), 4),
    Place("Madrid", "Europe/Madrid", ("es", "es", "en")),
    Place("London", "Europe/London", ("en-GB", "en-GB", "en-GB", "fr"), ("+447700900",), 3),
    Place("Lisbon", "Europe/Lisbon", ("en", "es")),
)
AMERICAS: Sequence[Place] = (
    Place(
        "New York",
        "America/New_York",
        ("en-US", "en-US", "es"),
        _america(*range(201, 210), 212, 315, 347, 516, 518, 585, 607, 631, 646, 716, 718, 845, 914, 917),
    ),
    Place(
        "Chicago",
        "America/Chicago",
        ("en-US", "en-US", "es"),
        _america(217, 224, 262, 309, 312, 414, 608, 630, 618, 651, 708, 715, 763, 773, 815, 847, 920, 952),
    ),
    Place(
        "Los Angeles",
        "America/Los_Angeles",
        ("en-US", "es"),
        _america(213, 310, 323, 408, 415, 424, 510, 562, 619, 626, 650, 661, 707),
    ),
    Place(
        "Toronto",
        "America/Toronto",
        ("en-CA", "fr-CA"),
        _america(226, 249, 289, 343, 365, 416, 437, 519, 613, 647, 705, 905),
    ),
    Place("Mexico City", "America/Mexico_City", ("es-MX",)),
    Place("Buenos Aires", "America/Argentina/Buenos_Aires", ("es-AR",)),
)
ELSEWHERE: Sequence[Place] = (
    Place("Cairo", "Africa/Cairo", ("ar", "ar", "en")),
    Place("Casablanca", "Africa/Casablanca", ("ar", "fr")),
    Place("Dubai", "Asia/Dubai", ("ar", "en")),
    Place("Lagos", "Africa/Lagos", ("en",)),
    Place("Kolkata", "Asia/Kolkata", ("en-IN",)),
    Place("Tokyo", "Asia/Tokyo", ("en",)),
    Place("Sydney", "Australia/Sydney", ("en-AU",)),
    Place("Auckland", "Pacific/Auckland", ("en-NZ",)),
)
ALL: Sequence[Place] = (*EUROPE, *AMERICAS, *ELSEWHERE)
NAMES = {
    "en": ("Ada", "Ben", "Chloe", "Daniel", "Ella", "Finn", "Grace", "Harry", "Isla", "Jack", "Lily", "Noah"),
    "de": ("Anna", "Ben", "Clara", "David", "Emilia", "Felix", "Hanna", "Jonas", "Lena", "Moritz", "Paula", "Tim"),
    "fr": ("Alice", "Bruno", "Camille", "Denis", "Élodie", "Gabriel", "Inès", "Jules", "Léa", "Manon", "Noé", "Zoé"),
    "es": ("Alba", "Bruno", "Carmen", "Diego", "Elena", "Hugo", "Inés", "Javier", "Lucía", "Mateo", "Sofía", "Íñigo"),
    "ar": ("أحمد", "آمنة", "باسم", "خالد", "سارة", "عمر", "فاطمة", "كريم", "ليلى", "مريم", "نور", "يوسف"),
}
