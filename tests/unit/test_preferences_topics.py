import pytest

from apps.preferences.topics import is_topic


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "order.shipped",
        "order.*",
        "order.shipped.late",
        "order.shipped.*",
        "login",
        "a-b_c.d",
        "category:marketing",
    ],
)
def test_a_topic_is_an_event_type_a_pattern_a_category_or_everything(text):
    assert is_topic(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.shipped",
        "order*",
        "order.",
        ".order",
        "order..x",
        "Order.shipped",
        "category:",
        "category:*",
        "category:news",
        "order.*.x",
        "order.shipped\n",
        "order shipped",
        "**",
        "topic:x",
        "é",
        "a" * 101,
    ],
)
def test_it_refuses_everything_else(text):
    assert not is_topic(text)
