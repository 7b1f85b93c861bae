"""What a summary's template is proven with: `digest` as it is at send (docs/templates.md), of three likes by two people."""

from typing import Any

_ANN = {
    "actor_id": "u_1",
    "data": {"actor_name": "Ann"},
    "title": "Ann liked your post",
    "at": "2027-03-01T09:00:00+00:00",
}
_BOB = {
    "actor_id": "u_2",
    "data": {"actor_name": "Bob"},
    "title": "Bob liked your post",
    "at": "2027-03-01T09:05:00+00:00",
}
_BOTH = {
    "event_type": "sample",
    "object_id": "post_1",
    "body": "A day at the lake",
    "url": "https://example.test/posts/1",
    "count": 1,
}
DIGEST_SAMPLE: dict[str, Any] = {
    "items": [{**_BOTH, **_ANN}, {**_BOTH, **_BOB, "count": 2}],
    "total": 15,
    "more": 12,
    "actors": ["Ann", "Bob"],
    "others": 14,
    "object_id": "post_1",
    "frequency": "daily",
    "since": "2027-03-01T08:30:00+00:00",
}
