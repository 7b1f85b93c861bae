"""Examples for the schema; tests send them as they stand."""

from datetime import timedelta

from drf_spectacular.utils import OpenApiExample

from apps.core import clock

# a date that is written down lies in the past one day: a day one to two months away
_DUE = (clock.now().replace(day=1) + timedelta(days=62)).replace(day=1, hour=8, minute=0, second=0, microsecond=0)
_MESSAGE = {"title": "Your week", "body": "Here is what happened this week."}

SCHEDULE = [
    OpenApiExample(
        "At its time",
        request_only=True,
        value={
            "user_id": "u_rider",
            "category": "transactional",
            "message": {"title": "Your ride is booked", "body": "Mara will pick you up at 8:00."},
            "schedule_at": _DUE.isoformat(),
            "expiry_at": (_DUE + timedelta(hours=1)).isoformat(),
        },
    ),
    OpenApiExample(
        "Every Friday at five, on everybody's own clock",
        request_only=True,
        value={
            "recipients": [{"user_id": "u_rider"}, {"user_id": "u_contact"}],
            "category": "social",
            "message": _MESSAGE,
            "schedule": {
                "name": "Weekly summary",
                "start": f"{_DUE:%Y-%m-%d}T17:00",
                "zone": "recipient",
                "rule": "FREQ=WEEKLY;BYDAY=FR",
                "expires_after_minutes": 720,
            },
        },
    ),
]

PATCH = [
    OpenApiExample(
        "An hour later", request_only=True, value={"version": 1, "schedule": {"start": f"{_DUE:%Y-%m-%d}T18:00"}}
    )
]

PREVIEW = [
    OpenApiExample(
        "The last working day of each month in Berlin",
        request_only=True,
        value={
            "schedule": {
                "start": f"{_DUE:%Y-%m-%d}T09:00",
                "zone": "Europe/Berlin",
                "rule": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            },
            "count": 3,
        },
    )
]
