"""Bodies that the documentation shows; a test sends each of them."""

TEMPLATE = {
    "name": "Order shipped",
    "sample": {"order_id": "A-1029", "url": "https://shop.example/o/A-1029", "$recipient": {"first_name": "Rosa"}},
    "variants": [
        {"channel": "sms", "content": {"body": "Order {{ data.order_id }} is on its way: {{ data.url }}"}},
        {
            "channel": "sms",
            "locale": "de",
            "content": {"body": "Bestellung {{ data.order_id }} ist unterwegs: {{ data.url }}"},
        },
        {
            "channel": "email",
            "content": {
                "subject": "Order {{ data.order_id }} is on its way",
                "html": "<p>Hello {{ recipient.first_name | default: 'there' }},</p>"
                '<p><a href="{{ data.url }}">Follow order {{ data.order_id }}</a></p>',
            },
        },
    ],
}

PREVIEW = {"channel": "sms", "locale": "de-CH", "data": {"order_id": "A-1029", "url": "https://shop.example/o/A-1029"}}
