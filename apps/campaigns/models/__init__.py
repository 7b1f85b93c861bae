"""What a campaign is, who agreed to it, and what becomes of it."""

from apps.campaigns.models.agreements import Approval, Policy, Spending
from apps.campaigns.models.counting import Dimension, Meter, Slice
from apps.campaigns.models.definitions import Campaign, NamedPeople, Variant
from apps.campaigns.models.runs import Run, Tally, Wave

__all__ = [
    "Approval",
    "Campaign",
    "Dimension",
    "Meter",
    "NamedPeople",
    "Policy",
    "Run",
    "Slice",
    "Spending",
    "Tally",
    "Variant",
    "Wave",
]
