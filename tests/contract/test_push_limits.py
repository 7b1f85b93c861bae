"""What may be published as a push can be sent by every provider of push, with all that is added on the way."""

import json

import msgspec
import pytest

from apps.channels.registry import providers
from apps.core import ids
from apps.core.enums import Category, Channel
from apps.core.types import Account, OutboundMessage
from apps.dispatch.tracking import ENGAGEMENT_TOKEN, engagement_token
from apps.templates.content import MOST_PUSH_BYTES
from tests.simulators.webpush import address

CARRIERS = [
    (name, platform)
    for name, provider in providers().items()
    if Channel.PUSH in provider.channels and name != "sandbox"
    for platform in sorted(provider.platforms)
]


def test_push_has_carriers_for_every_kind_of_device() -> None:
    assert {platform for _, platform in CARRIERS} == {"ios", "android", "web", "web_push"}


@pytest.mark.parametrize(("name", "platform"), CARRIERS)
@pytest.mark.parametrize("letter", ["x", "ä", "😀", '"'])
def test_the_longest_push_that_may_be_published_can_be_sent(name: str, platform: str, letter: str) -> None:
    content = {
        "title": "Hi",
        "body": "",
        "action_url": "https://acme.example/orders/42",
        "image_url": "https://acme.example/orders/42.png",
        "collapse_id": "x" * 64,
        "badge": "999999",
    }
    room = MOST_PUSH_BYTES - len(msgspec.json.encode(content))
    content["body"] = letter * (room // (len(msgspec.json.encode(letter)) - 2))
    assert MOST_PUSH_BYTES - 4 < len(msgspec.json.encode(content)) <= MOST_PUSH_BYTES
    message = OutboundMessage(
        reference=ids.show(ids.ATTEMPT, ids.new()),
        delivery=ids.show(ids.DELIVERY, ids.new()),
        tenant="acme",
        channel=Channel.PUSH,
        category=Category.CRITICAL,
        address=address("sim-1") if platform == "web_push" else "a" * 64,
        platform=platform,
        sender="",
        content={**content, ENGAGEMENT_TOKEN: engagement_token(ids.new())},
        ttl=3600,
    )
    account = Account(
        id=ids.new(),
        key="acme-push",
        provider=name,
        channel=Channel.PUSH,
        base_url="",
        sender="mailto:push@acme.example",
        credentials={"service_account": json.dumps({"project_id": "acme"})},
        settings={"topic": "com.acme.app", "android_channel_id": "transactional-messages"},
    )
    assert providers()[name].build(account, [message]).body
