"""Campaigns by the ids that callers send."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from apps.campaigns.reading import CampaignFacts, campaign
from apps.core import ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.tenants.authentication import caller_of

TAGS = ["Campaigns"]
ID = OpenApiParameter(
    "campaign_id", {"type": "string", "examples": ["cmp_06czvrg000jr4dx5k0mb8w1a2c"]}, OpenApiParameter.PATH
)


def id_of(campaign_id: str) -> UUID:
    found = ids.read(ids.CAMPAIGN, campaign_id)
    if found is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    return found


def found(request: Request, campaign_id: str) -> CampaignFacts:
    """Of the caller's tenant. Raises Problem: not_found."""
    row = campaign(caller_of(request).tenant.id, id_of(campaign_id))
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    return row


def mine(request: Request, campaign_id: str) -> CampaignFacts:
    """One that the key may change: of its own mode. Raises Problem: not_found, forbidden."""
    row, mode = found(request, campaign_id), caller_of(request).mode
    if row.values["mode"] != mode:
        raise Problem(Code.FORBIDDEN, f"A {mode} key has no say in a campaign that is {row.values['mode']}.")
    return row
