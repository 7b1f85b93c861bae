"""What people chose, what the tenant allows, what was said and when, and which addresses are vetoed."""

from apps.preferences.models.choices import Mute, Preference, Profile
from apps.preferences.models.consent import ConsentRecord
from apps.preferences.models.reservations import Reservation
from apps.preferences.models.rules import DefaultPreference, FrequencyCap, QuietHoursRule
from apps.preferences.models.suppressions import SoftBounce, Suppression

__all__ = [
    "ConsentRecord",
    "DefaultPreference",
    "FrequencyCap",
    "Mute",
    "Preference",
    "Profile",
    "QuietHoursRule",
    "Reservation",
    "SoftBounce",
    "Suppression",
]
