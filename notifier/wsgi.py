"""The WSGI door: API, admin and pages."""

import os

from django.core.wsgi import get_wsgi_application

from notifier import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
application = get_wsgi_application()
garbage.settle()
