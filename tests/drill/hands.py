"""Runs the watch over receipts as if it were later. Standard input: {"do": "learn" | "watch", "in": [seconds, ...]}.

Prints {"after": the first of these seconds at which an alert was open, or null, "alerts": [kind, subject, text]} and looks no further."""

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
    now, alerts, after = clock.now(), [], None
    for seconds in asked["in"]:
        {"learn": silence.learn, "watch": silence.watch}[asked["do"]](now + timedelta(seconds=seconds))
        alerts = list(Alert.objects.all_tenants().filter(ended_at=None).values_list("kind", "subject", "text"))
        if alerts:
            after = seconds
            break
    json.dump({"after": after, "alerts": alerts}, sys.stdout)


if __name__ == "__main__":
    main()
