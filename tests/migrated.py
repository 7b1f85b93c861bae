"""A database with the whole schema, which those of a run's workers are copied from: migrating takes each of them eight seconds.

Made beside their start by `python -m tests.migrated`; it has its name when it is whole.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

NAME = "notifier_tests_migrated"
_UNFINISHED = "notifier_tests_migrating"
_PATIENCE = 90.0


def begin() -> subprocess.Popen[bytes]:
    """On the servers of DATABASE_URL."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_UNFINISHED}".encode())
    project = Path(__file__).resolve().parents[1]
    return subprocess.Popen([sys.executable, "-m", "tests.migrated"], cwd=project, stdin=subprocess.DEVNULL)


def found() -> str:
    """Its name, as soon as it is whole; empty where nobody makes it."""
    end = time.monotonic() + _PATIENCE
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while time.monotonic() < end:
            query = "SELECT datname FROM pg_database WHERE datname = ANY(%s) ORDER BY datname"
            names = [name for (name,) in connection.execute(query, [[NAME, _UNFINISHED]])]
            if not names or names[0] == NAME:
                return "".join(names)
            time.sleep(0.1)
    raise TimeoutError(f"The database {NAME} was not made within {_PATIENCE:.0f} seconds.")


def _make() -> None:
    import django
    from django.core.management import call_command
    from django.db import connections

    given = os.environ["DATABASE_URL"]
    name, end = _UNFINISHED, f"DROP DATABASE {_UNFINISHED} WITH (FORCE)"
    try:
        os.environ["DATABASE_URL"] = urlsplit(given)._replace(path=f"/{name}").geturl()
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        connections.close_all()
        end = f"ALTER DATABASE {name} RENAME TO {NAME}"
    finally:
        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute(end.encode())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
    _make()
