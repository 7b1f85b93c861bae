"""Wiring only: settings, Celery, pools, URLs, the local runner. No rule of the product lives here."""

from notifier.celery import app as celery_app

__all__ = ["celery_app"]
