"""`gunicorn tests.bench.bare_wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.bare"
application = get_wsgi_application()
