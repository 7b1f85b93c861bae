"""The environment that every process of a local run gets."""

import os
from collections.abc import Mapping

from notifier.local.children import Ports

_NOT_FOR_CHILDREN = frozenset({"MAKELEVEL", "MAKEFLAGS", "MFLAGS", "PYTHONDONTWRITEBYTECODE", "NOTIFIER_ONCE"})
# Celery's, once per worker; it is about pickle, which is off
_ROOT_WARNING = "ignore:You're running the worker with superuser privileges"
_OURS = ("NOTIFIER_", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")


def is_given(environ: Mapping[str, str], name: str) -> bool:
    """True if the caller named an address of their own, as NAME or as NAME_FILE."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def child_environment(
    environ: Mapping[str, str], secrets: Mapping[str, str], addresses: Mapping[str, str], ports: Ports
) -> dict[str, str]:
    """What the caller set wins over generated secrets and local defaults. `addresses` are those of the servers started here."""
    ours = {
        **secrets,
        **addresses,
        "NOTIFIER_PUBLIC_URL": f"http://127.0.0.1:{ports.web}",
        "NOTIFIER_STREAM_URL": f"http://127.0.0.1:{ports.stream}",
        "NOTIFIER_SANDBOX_URL": f"http://127.0.0.1:{ports.sandbox}",
        "NOTIFIER_DEBUG": "0",
        "NOTIFIER_LOG_JSON": "0",
    }
    if os.geteuid() == 0:
        ours["PYTHONWARNINGS"] = _ROOT_WARNING
    if "REDIS_URL" in addresses:
        ours["CELERY_BROKER_URL"] = addresses["REDIS_URL"]
    inherited = {name: value for name, value in environ.items() if value and name not in _NOT_FOR_CHILDREN}
    defaults = {name: value for name, value in ours.items() if not is_given(environ, name)}
    return {**inherited, **defaults, "DJANGO_SETTINGS_MODULE": "notifier.settings", "PYTHONUNBUFFERED": "1"}


def service_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Only what the service reads; for `.local/running.env`, which a shell can source beside a running system."""
    return {name: value for name, value in sorted(env.items()) if name.startswith(_OURS)}
