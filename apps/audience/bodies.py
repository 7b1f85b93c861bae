"""What callers send about people, and its checks. Ingestion uses `RecipientBody` for inline recipients."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from apps.audience.addresses import MAX_TOKEN, device_token, email_address, phone_number, web_push_subscription
from apps.core.bodies import Body
from apps.core.enums import Platform
from apps.core.locales import canonical_locale, is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Address, InlineRecipient

MAX_ATTRIBUTES = 16 * 1024

LocaleTag = Annotated[str, Meta(description="BCP 47. `null` clears it.", max_length=35, examples=["de-CH"])]
ZoneName = Annotated[str, Meta(description="IANA. `null` clears it.", max_length=64, examples=["Europe/Zurich"])]
Attributes = Annotated[
    dict[str, Any],
    Meta(
        description="Anything templates may use, up to 16 KiB of JSON. Replaces what is stored.",
        examples=[{"first_name": "Zoe"}],
    ),
]
EmailText = Annotated[
    str, Meta(description="Added to the person's endpoints.", max_length=320, examples=["zoe@example.com"])
]
PhoneText = Annotated[
    str, Meta(description="E.164. Added to the person's endpoints.", max_length=40, examples=["+4930123456"])
]
TokenText = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, examples=["fcm-registration-token-0001"])]


class DeviceBody(Body, frozen=True):
    """A device that gets push messages."""

    token: TokenText
    platform: Platform


class UserBody(Body, frozen=True):
    """A person. Fields left out keep what is stored."""

    locale: LocaleTag | UnsetType | None = UNSET
    timezone: ZoneName | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET
    email: EmailText | UnsetType = UNSET
    phone: PhoneText | UnsetType = UNSET
    blocked: Annotated[bool, Meta(description="A blocked person gets nothing.")] | UnsetType = UNSET

    def checked(self, user_id: str, pointer: str = "") -> InlineRecipient:
        """Raises Problem; `pointer` is where this body stands in the request."""
        return InlineRecipient(
            user_id=user_id,
            locale=_locale(self.locale, f"{pointer}/locale"),
            timezone=_timezone(self.timezone, f"{pointer}/timezone"),
            attributes=_attributes(self.attributes, f"{pointer}/attributes"),
            is_blocked=None if self.blocked is UNSET else self.blocked,
            addresses=_contacts(self.email, self.phone, pointer),
        )


class RecipientBody(Body, frozen=True):
    """A person and addresses, sent along with a notification: created or updated, fields left out keep what is stored."""

    user_id: Annotated[str, Meta(min_length=1, max_length=128, examples=["u_42"])]
    locale: LocaleTag | UnsetType | None = UNSET
    timezone: ZoneName | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET
    email: EmailText | UnsetType = UNSET
    phone: PhoneText | UnsetType = UNSET
    devices: Annotated[list[DeviceBody], Meta(max_length=20)] = []

    def checked(self, pointer: str = "/recipient") -> InlineRecipient:
        """Raises Problem; `pointer` is where this body stands in the request."""
        devices = (
            device_token(device.token, device.platform, f"{pointer}/devices/{index}/token")
            for index, device in enumerate(self.devices)
        )
        return InlineRecipient(
            user_id=checked_user_id(self.user_id, f"{pointer}/user_id"),
            locale=_locale(self.locale, f"{pointer}/locale"),
            timezone=_timezone(self.timezone, f"{pointer}/timezone"),
            attributes=_attributes(self.attributes, f"{pointer}/attributes"),
            addresses=(*_contacts(self.email, self.phone, pointer), *devices),
        )


class WebPushKeys(Body, frozen=True):
    p256dh: Annotated[str, Meta(max_length=200, description="65 bytes in base64url.")]
    auth: Annotated[str, Meta(max_length=100, description="16 bytes in base64url.")]


class WebPushSubscription(Body, frozen=True, forbid_unknown_fields=False):
    """What PushManager.subscribe() returned."""

    endpoint: Annotated[str, Meta(max_length=2048, examples=["https://push.example.com/send/abc"])]
    keys: WebPushKeys


class DeviceRegistrationBody(Body, frozen=True):
    """`token` and `platform` of an app, or the `subscription` of a browser."""

    token: TokenText | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
    subscription: WebPushSubscription | UnsetType = UNSET

    def checked(self) -> Address:
        """Raises Problem: invalid_endpoint, invalid_subscription."""
        match self.token, self.platform, self.subscription:
            case str(token), Platform() as platform, UnsetType():
                return device_token(token, platform, "/token")
            case UnsetType(), UnsetType(), WebPushSubscription() as given:
                return web_push_subscription(given.endpoint, given.keys.p256dh, given.keys.auth, "/subscription")
        detail = "A device has a `token` and its `platform`, or else a `subscription`."
        raise Problem(Code.INVALID_ENDPOINT, detail, pointer="/token")


class EndpointBody(Body, frozen=True):
    """`address` for email, phone and device; `platform` for device; `subscription` for web_push."""

    kind: Annotated[Literal["email", "phone", "device", "web_push"], Meta(examples=["email"])]
    address: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, examples=["zoe@example.com"])] | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
    subscription: WebPushSubscription | UnsetType = UNSET
    verified: Annotated[bool, Meta(description="Whether you know that the address is the person's.")] = True

    def checked(self) -> Address:
        """Raises Problem: contradiction, invalid_endpoint, invalid_email, invalid_phone, invalid_subscription."""
        wanted = {"device": {"address", "platform"}, "web_push": {"subscription"}}.get(self.kind, {"address"})
        for name in ("address", "platform", "subscription"):
            is_given = getattr(self, name) is not UNSET
            if is_given != (name in wanted):
                say = "does not belong to" if is_given else "is required for"
                raise Problem(
                    Code.INVALID_ENDPOINT, f"`{name}` {say} an endpoint of kind {self.kind}.", pointer=f"/{name}"
                )
        return replace(self._address(), is_verified=self.verified)

    def _address(self) -> Address:
        match self.address, self.platform, self.subscription:
            case str(text), Platform() as platform, _:
                return device_token(text, platform, "/address")
            case _, _, WebPushSubscription() as given:
                return web_push_subscription(given.endpoint, given.keys.p256dh, given.keys.auth, "/subscription")
            case str(text), _, _ if self.kind == "email":
                return email_address(text, "/address")
            case text, _, _:
                return phone_number(str(text), "/address")


def checked_user_id(user_id: str, pointer: str) -> str:
    if not 1 <= len(user_id) <= 128 or not user_id.isprintable():
        detail = "A user_id has 1 to 128 printable characters."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer=pointer)
    return user_id


def _locale(given: str | UnsetType | None, pointer: str) -> str | None:
    if not given:
        return None if given is UNSET else ""
    tag = canonical_locale(given)
    if tag is None:
        raise Problem(
            Code.INVALID_LOCALE, f"`{given}` is not a BCP 47 tag of a known language and region.", pointer=pointer
        )
    return tag


def _timezone(given: str | UnsetType | None, pointer: str) -> str | None:
    if not given:
        return None if given is UNSET else ""
    if not is_timezone(given):
        raise Problem(Code.INVALID_TIMEZONE, f"`{given}` is not an IANA time zone.", pointer=pointer)
    return given


def _attributes(given: dict[str, Any] | UnsetType, pointer: str) -> dict[str, Any] | None:
    if given is UNSET:
        return None
    if (size := len(msgspec.json.encode(given))) > MAX_ATTRIBUTES:
        detail = f"The attributes have {size} bytes; the limit is {MAX_ATTRIBUTES}."
        raise Problem(Code.OUT_OF_RANGE, detail, pointer=pointer)
    return given


def _contacts(email: str | UnsetType, phone: str | UnsetType, pointer: str) -> tuple[Address, ...]:
    return (
        *(() if email is UNSET else (email_address(email, f"{pointer}/email"),)),
        *(() if phone is UNSET else (phone_number(phone, f"{pointer}/phone"),)),
    )
