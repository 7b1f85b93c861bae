"""A message for a browser of Rosa's, to be varied."""

from typing import Any

from msgspec import structs

from apps.core.enums import Category, Channel
from apps.core.types import OutboundMessage
from tests.simulators.webpush import address


def message(**given: Any) -> OutboundMessage:
    return structs.replace(
        OutboundMessage(
            reference="at_06akp3c9tr7y5kq8h2m1v4w6xd",
            delivery="dl_06akp3c9tr7y5kq8h2m1v4w6xe",
            tenant="acme",
            channel=Channel.PUSH,
            category=Category.TRANSACTIONAL,
            address=address("sim-1"),
            platform="web_push",
            sender="",
            content={"title": "Shipped", "body": "Order 42 is on its way", "action_url": "https://acme.example/42"},
        ),
        **given,
    )
