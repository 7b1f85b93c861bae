"""Amazon SNS as a caller: notes signed by hand with a throw-away certificate.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import uuid4

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from apps.core.types import ProviderCall

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
PATH = "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
ORDER = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
UNSIGNED = frozenset({"SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"})


class Signer:
    """A key of its own, and the certificate for it."""

    def __init__(self, start: datetime | None = None, end: datetime | None = None) -> None:
        now = datetime.now(UTC)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._span = (start or now - timedelta(days=400), end or now + timedelta(days=4000))

    @cached_property
    def certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(self._span[0]).not_valid_after(self._span[1])
        return made.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def signature(self, fields: Mapping[str, str], version: str = "2") -> str:
        """A SubscribeURL is signed only where the note is about a subscription."""
        is_note = fields["Type"] == "Notification"
        names = [n for n in ORDER if n in fields and not (is_note and n in {"SubscribeURL", "Token"})]
        text = "".join(f"{name}\n{fields[name]}\n" for name in names)
        kind = SHA1() if version == "1" else SHA256()
        return b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), kind)).decode()


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def note(message: str, *, origin: str, at: datetime, message_id: str = "", **more: str) -> dict[str, str]:
    """The fields of a notification, unsigned. `more` replaces any of them; "" takes it away."""
    fields = {
        "Type": "Notification",
        "MessageId": message_id or str(uuid4()),
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": stamp(at),
        "SignatureVersion": "2",
        "SigningCertURL": f"{origin}{PATH}",
        "UnsubscribeURL": f"{origin}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:c9135db0-26c4-47ec-8998-413945fb5a96",
        **more,
    }
    return {name: value for name, value in fields.items() if value}


def subscription(
    *, origin: str, at: datetime, token: str = "2336412f37fb687f5d51e6e2425c464de12884a", **more: str
) -> dict[str, str]:
    """The fields of the call that asks for a confirmation, unsigned."""
    link = f"{origin}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={token}"
    text = f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm the subscription, visit the SubscribeURL included."
    return note(
        text,
        origin=origin,
        at=at,
        **{
            "Type": "SubscriptionConfirmation",
            "Subject": "",
            "UnsubscribeURL": "",
            "Token": token,
            "SubscribeURL": link,
        }
        | more,
    )


def call(signer: Signer, url: str, fields: Mapping[str, str]) -> ProviderCall:
    """As SNS posts it: text/plain, with the type and the ids in headers as well."""
    signed = dict(fields) | {"Signature": signer.signature(fields, fields["SignatureVersion"])}
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": fields["Type"],
        "x-amz-sns-message-id": fields["MessageId"],
        "x-amz-sns-topic-arn": fields["TopicArn"],
    }
    return ProviderCall(url, headers, msgspec.json.encode(signed))
