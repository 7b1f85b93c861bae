"""The segments and the list of the demo."""

from collections.abc import Mapping
from typing import Any

from apps.audience.segments import keeping, lists, stored
from apps.campaigns.demo.people import user_id
from apps.campaigns.demo.places import AMERICAS, EUROPE, Place
from apps.core.types import Tenant

PILOT, PILOTS = "pilot-riders", 2_000
_STEP = 7


def _is(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def _near(places: tuple[Place, ...]) -> dict[str, Any]:
    return _is("timezone", "in", [place.timezone for place in places])


SEGMENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "west": ("Europe and the Americas", {"any": [_near((*EUROPE,)), _near((*AMERICAS,))]}),
    "paying": ("Plus and Pro", _is("attributes.plan", "in", ["plus", "pro"])),
    "newcomers": (
        "Newcomers with a number",
        {
            "all": [
                _is("attributes.signed_up", "in_last_days", 90),
                _is("attributes.rides", "gte", 3),
                _is("address.sms", "usable", True),
            ]
        },
    ),
    "win-back": (
        "Worth winning back",
        {
            "all": [
                _is("attributes.signed_up", "not_in_last_days", 365),
                {"any": [_is("attributes.rides", "gte", 20), {"segment": "paying"}]},
                {"none": [{"list": PILOT}, _is("muted", "is", True)]},
            ]
        },
    ),
}


def make_segments(tenant: Tenant, people: int) -> int:
    """How many are new. What somebody changed or archived meanwhile stays so."""
    made = 0
    if stored.segment(tenant.id, PILOT) is None:
        pilots = keeping.create_segment(tenant_id=tenant.id, key=PILOT, name="Pilot riders")
        chosen = [user_id(n) for n in range(0, people, max(1, min(_STEP, people // PILOTS)))][:PILOTS]
        lists.add_members(tenant_id=tenant.id, segment_id=pilots.id, user_ids=chosen)
        keeping.count_segment(tenant_id=tenant.id, segment_id=pilots.id)
        made += 1
    for key, (name, rules) in SEGMENTS.items():
        if stored.segment(tenant.id, key) is None:
            row = keeping.create_segment(tenant_id=tenant.id, key=key, name=name, rules=rules)
            keeping.count_segment(tenant_id=tenant.id, segment_id=row.id)
            made += 1
    return made
