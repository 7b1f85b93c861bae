"""Runs the watch over receipts as if it were later. Standard input: {"do": "learn" | "watch", "in": seconds}; prints the open alerts."""

import json
import sys
from datetime import timedelta

import django


def main() -> None:
    django.setup()
    from apps.channels.models import Alert
    from apps.core import clock
    from apps.insights import silence

    asked = json.load(sys.stdin)
    now = clock.now() + timedelta(seconds=asked["in"])
    {"learn": silence.learn, "watch": silence.watch}[asked["do"]](now)
    alerts = Alert.objects.all_tenants().filter(ended_at=None).values_list("kind", "subject", "text")
    json.dump(list(alerts), sys.stdout)


if __name__ == "__main__":
    main()
