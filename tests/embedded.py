"""A pytest plugin, loaded before Django's settings: real PostgreSQL and Redis of this run's own, gone when it ends.

With `-n` the workers share the PostgreSQL, in a database of each (pytest-django names it) that is copied from one (migrated.py); each has a
Redis of its own, for `PUBLISH` and `FLUSHALL` know no database numbers. DATABASE_URL and REDIS_URL in the environment are used instead
when NOTIFIER_TEST_EXTERNAL=1. The broker of tests that run no worker is a sentence that fails loudly.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

SETTINGS = {
    "NOTIFIER_SECRET_KEY": "a-key-for-tests-only-0123456789-0123456789-0123456789",
    "NOTIFIER_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "NOTIFIER_HASH_KEYS": "h1:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
    "NOTIFIER_SANDBOX_SECRET": "a-sandbox-secret-for-tests",
    "NOTIFIER_ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "CELERY_BROKER_URL": "unit-tests://do-not-publish-to-a-broker",
}
# "gw0", "gw1", ...; empty in a run without -n, and in the process that hands out the tests
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
# one system serves all of a folder's files: they stay in one worker
TOGETHER = ("tests/flows/", "tests/faults/")


def start() -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if "NOTIFIER_STATIC_ROOT" not in os.environ:
        os.environ["NOTIFIER_STATIC_ROOT"] = str(_directory("ntf-static-"))
    if os.environ.get("NOTIFIER_TEST_EXTERNAL") == "1":
        if WORKER:
            _take_a_number()
    elif WORKER:
        _start_redis()
    else:
        _start_servers()


def _directory(prefix: str) -> Path:
    made = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _start_servers() -> None:
    from notifier.local.servers import Servers

    servers = Servers.start(_directory("ntf-test-"), durable=False)
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url
    atexit.register(servers.stop)


def _start_redis() -> None:
    from notifier.local.redis import Redis

    redis = Redis(_directory(f"ntf-test-{WORKER}-"), durable=False, say=str)
    redis.start()
    os.environ["REDIS_URL"] = redis.redis_url
    atexit.register(redis.stop)


def _take_a_number() -> None:
    """Of a Redis that is not ours; the flows take number 9."""
    number = int(WORKER.removeprefix("gw"))
    if number > 7:
        raise pytest.UsageError("NOTIFIER_TEST_EXTERNAL=1 goes with eight workers at most: -n 8")
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number + 1}").geturl()


def pytest_configure(config: pytest.Config) -> None:
    if WORKER or os.environ.get("NOTIFIER_TEST_EXTERNAL") == "1" or not getattr(config.option, "numprocesses", None):
        return
    from tests import migrated

    making = migrated.begin()
    atexit.register(making.wait)
    atexit.register(making.terminate)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: a file's tests in one worker and in their order, or a folder's."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope = str(super()._split_scope(nodeid))
            return next((folder for folder in TOGETHER if scope.startswith(folder)), scope)

    return Files(config, log)


start()
