"""Examples for the schema; tests send them as they stand."""

from drf_spectacular.utils import OpenApiExample

_SHOWN = "nt_06d3kx2v9xv1x0m4w2q8zj5rtc"
_ACCEPTED = {
    "notification_id": _SHOWN,
    "status": "queued",
    "timeline_url": f"http://127.0.0.1:8000/v1/notifications/{_SHOWN}/timeline",
}

SEND = [
    OpenApiExample(
        "One recipient",
        request_only=True,
        value={
            "user_id": "u_rider",
            "event_type": "ride.booked",
            "event_id": "ride-R-1029",
            "data": {
                "ride": {
                    "id": "R-1029",
                    "driver": "Mara",
                    "car": "white Skoda",
                    "pickup": "Main St 1",
                    "eta_minutes": 4,
                }
            },
        },
    ),
    OpenApiExample(
        "Two recipients of one event",
        request_only=True,
        value={
            "event_type": "ride.booked",
            "event_id": "ride-R-1029",
            "recipients": [
                {"user_id": "u_rider", "channels": ["push", "email", "in_app"]},
                {"user_id": "u_contact", "channels": ["sms"]},
            ],
            "data": {
                "ride": {
                    "id": "R-1029",
                    "driver": "Mara",
                    "car": "white Skoda",
                    "pickup": "Main St 1",
                    "eta_minutes": 4,
                }
            },
        },
    ),
    OpenApiExample("Accepted", response_only=True, status_codes=["202"], value=_ACCEPTED),
]

BATCH = [
    OpenApiExample(
        "Two notifications",
        request_only=True,
        value={
            "notifications": [
                {"user_id": "u_rider", "category": "social", "message": {"body": "Otto likes your photo."}},
                {"user_id": "u_contact", "category": "social", "message": {"body": "Rosa likes your photo."}},
            ]
        },
    ),
]
