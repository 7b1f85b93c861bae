"""The ASGI door: the inbox's live stream, and nothing else.

gunicorn notifier.asgi:application --worker-class asgi --workers 1 --graceful-timeout 2 --no-control-socket
(a stream never ends by itself, so a longer grace only delays a restart; its client comes back after three seconds)
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
django.setup()

from apps.inbox.stream import InboxStream  # noqa: E402  (needs the apps loaded)

application = InboxStream()
