"""Examples for the schema; tests send them as they stand."""

from drf_spectacular.utils import OpenApiExample

CREATE = [
    OpenApiExample(
        "A draft",
        request_only=True,
        value={
            "name": "Spring sale",
            "channels": ["email"],
            "audience": {"include": {"field": "attributes.plan", "op": "is", "value": "pro"}},
            "schedule": {"kind": "at", "start": "2035-03-01T09:00", "zone": "recipient", "past": "skip"},
            "throttle": 600,
            "holdout": 5,
        },
    )
]
PATCH = [
    OpenApiExample(
        "Slower, and not for ever",
        request_only=True,
        value={"version": 1, "throttle": 300, "expires_after_minutes": 1440},
    ),
    OpenApiExample(
        "Tried on a fifth first; the first variant for the rest, if none is clearly better",
        request_only=True,
        value={
            "version": 1,
            "test": {"share": 20, "metric": "clicked", "wait_minutes": 240, "rule": "automatic", "undecided": "first"},
        },
    ),
]
THROTTLE = [OpenApiExample("Ten a second", request_only=True, value={"per_minute": 600})]
WINNER = [OpenApiExample("The second", request_only=True, value={"variant": 1})]
SUBMIT = [OpenApiExample("With a word", request_only=True, value={"note": "The dates are agreed with the shop."})]
BULK = [
    OpenApiExample(
        "People by name",
        request_only=True,
        value={
            "recipient_ids": ["u_rider", "u_contact"],
            "channels": ["push", "email"],
            "category": "social",
            "message": {"title": "We are moving", "body": "From Monday on you find us in the new town hall."},
        },
    ),
    OpenApiExample(
        "A segment, slowly",
        request_only=True,
        value={
            "segment_id": "pro",
            "exclude_segment_id": "churned",
            "channels": ["email"],
            "template_id": "spring_sale",
            "data": {"until": "31 March"},
            "throttle": 6000,
            "budget": {"total": 50_000_000},
            "send_once_key": "spring-2027",
        },
    ),
]
