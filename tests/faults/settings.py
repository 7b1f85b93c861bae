"""The service's settings and one more app: see sabotage.py."""

from notifier.settings import *  # noqa: F403
from notifier.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.sabotage.SabotageConfig"]
