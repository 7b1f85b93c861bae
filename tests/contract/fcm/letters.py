"""A message for an Android device of Rosa's, to be varied."""

from typing import Any

from msgspec import structs

from apps.core.enums import Category, Channel
from apps.core.types import OutboundMessage

TOKEN = "bk3RNwTe3H0:APA91b" + "Zx_4" * 35


def message(**given: Any) -> OutboundMessage:
    return structs.replace(
        OutboundMessage(
            reference="at_06akp3c9tr7y5kq8h2m1v4w6xd",
            delivery="dl_06akp3c9tr7y5kq8h2m1v4w6xe",
            tenant="acme",
            channel=Channel.PUSH,
            category=Category.TRANSACTIONAL,
            address=TOKEN,
            platform="android",
            sender="",
            content={"title": "Shipped", "body": "Order 42 is on its way", "action_url": "acme://orders/42"},
        ),
        **given,
    )
