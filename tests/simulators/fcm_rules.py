"""What FCM takes, as its reference says it: names, types, limits.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#Message
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_PAYLOAD = 4096
MOST_TTL = 2_419_200

_TOKEN = re.compile(r"[\w-]{10,40}:APA91b[\w-]{100,200}", re.ASCII)
_DURATION = re.compile(r"(\d+)(\.\d{1,9})?s")
_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_RESERVED = re.compile(r"from|message_type|collapse_key|(google|gcm)\.?.*")
_TARGETS = ("token", "fid", "topic", "condition")
_FIELDS: Mapping[str, frozenset[str]] = {
    "": frozenset({"message", "validate_only"}),
    "message": frozenset({"data", "notification", "android", "webpush", "apns", "fcm_options", "name", *_TARGETS}),
    "message.notification": frozenset({"title", "body", "image"}),
    "message.android": frozenset(
        [
            "collapse_key",
            "priority",
            "ttl",
            "restricted_package_name",
            "data",
            "notification",
            "fcm_options",
            "direct_boot_ok",
        ]
    ),
    "message.android.notification": frozenset(
        [
            "title",
            "body",
            "icon",
            "color",
            "sound",
            "tag",
            "click_action",
            "body_loc_key",
            "body_loc_args",
            "title_loc_key",
            "title_loc_args",
            "channel_id",
            "ticker",
            "sticky",
            "event_time",
            "local_only",
            "notification_priority",
            "default_sound",
            "default_vibrate_timings",
            "default_light_settings",
            "vibrate_timings",
            "visibility",
            "notification_count",
            "light_settings",
            "image",
            "proxy",
        ]
    ),
    "message.apns": frozenset({"headers", "payload", "fcm_options"}),
    "message.webpush": frozenset({"headers", "data", "notification", "fcm_options"}),
    "message.webpush.fcm_options": frozenset({"link", "analytics_label"}),
    "message.fcm_options": frozenset({"analytics_label"}),
}


class Wrong(Exception):
    """A violation: the field's path and what is wrong with it."""


def check(body: Any) -> None:
    """Raises Wrong with the first thing that FCM would not take."""
    _check_names("", body)
    message = body.get("message")
    if not isinstance(message, dict):
        raise Wrong("message", "The message is not set.")
    for path in list(_FIELDS)[1:]:
        _check_names(path, _at(body, path))
    if sum(name in message for name in _TARGETS) != 1:
        raise Wrong("message", "Recipient of the message is not set.")
    if "token" in message and not _TOKEN.fullmatch(message["token"]):
        raise Wrong("message.token", "The registration token is not a valid FCM registration token")
    for name, value in message.get("data", {}).items():
        if not isinstance(value, str):
            raise Wrong(f"message.data[{name}].value", "Invalid value (TYPE_STRING)")
        if _RESERVED.fullmatch(name):
            raise Wrong("message.data", f"Invalid data payload key: {name}")
    _check_android(message.get("android", {}))
    _check_apns(message.get("apns", {}))
    for path in ("message.fcm_options.analytics_label", "message.webpush.fcm_options.link"):
        _check_text(path, _at(body, path))
    if _size(message) > MOST_PAYLOAD:
        raise Wrong("message", "Message is too big")


def _check_names(path: str, found: Any) -> None:
    if found is None:
        return
    if not isinstance(found, dict):
        raise Wrong(path, "Invalid value (TYPE_MESSAGE)")
    for name in found:
        if name not in _FIELDS[path]:
            raise Wrong(path, f"Invalid JSON payload received. Unknown name '{name}' at '{path}': Cannot find field.")


def _check_android(android: Mapping[str, Any]) -> None:
    if str(android.get("priority", "normal")).upper() not in {"HIGH", "NORMAL"}:
        raise Wrong("message.android.priority", "Invalid value (TYPE_ENUM)")
    if "ttl" in android:
        found = _DURATION.fullmatch(str(android["ttl"]))
        if found is None or int(found[1]) > MOST_TTL:
            raise Wrong("message.android.ttl", "Invalid value: it must be a duration from 0 to 28 days")
    count = android.get("notification", {}).get("notification_count", 0)
    if not isinstance(count, int) or count < 0:
        raise Wrong("message.android.notification.notification_count", "Invalid value (TYPE_INT32)")


def _check_apns(apns: Mapping[str, Any]) -> None:
    headers = apns.get("headers", {})
    if not all(isinstance(value, str) for value in headers.values()):
        raise Wrong("message.apns.headers", "Invalid value (TYPE_STRING)")
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        raise Wrong("message.apns.headers", "apns-collapse-id is longer than 64 bytes")
    if headers.get("apns-priority", "10") not in {"1", "5", "10"}:
        raise Wrong("message.apns.headers", "apns-priority is 1, 5 or 10")
    if not headers.get("apns-expiration", "0").isdecimal():
        raise Wrong("message.apns.headers", "apns-expiration is a time in seconds")


def _check_text(path: str, value: str | None) -> None:
    if value is None:
        return
    if path.endswith("analytics_label") and not _LABEL.fullmatch(value):
        raise Wrong(path, "Invalid analytics label")
    if path.endswith("link") and not value.startswith("https://"):
        raise Wrong(path, "WebpushFcmOptions.link must be a valid HTTPS URL")


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _size(message: Mapping[str, Any]) -> int:
    """Keys and values of what travels to the device."""
    return sum(len(text.encode()) for part in ("notification", "data") for text in _texts(message.get(part, {})))


def _texts(found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        yield name
        yield str(value)
