"""A pytest plugin, loaded before Django's settings: real PostgreSQL and Redis of this run's own, gone when it ends.

DATABASE_URL and REDIS_URL in the environment are used instead when NOTIFIER_TEST_EXTERNAL=1. The broker of tests that
run no worker is a sentence that fails loudly.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SETTINGS = {
    "NOTIFIER_SECRET_KEY": "a-key-for-tests-only-0123456789-0123456789-0123456789",
    "NOTIFIER_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "NOTIFIER_HASH_KEYS": "h1:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
    "NOTIFIER_SANDBOX_SECRET": "a-sandbox-secret-for-tests",
    "NOTIFIER_ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "CELERY_BROKER_URL": "unit-tests://do-not-publish-to-a-broker",
}


def start() -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    static = tempfile.mkdtemp(prefix="ntf-static-")
    os.environ.setdefault("NOTIFIER_STATIC_ROOT", static)
    atexit.register(shutil.rmtree, static, ignore_errors=True)
    if os.environ.get("NOTIFIER_TEST_EXTERNAL") == "1" or "PYTEST_XDIST_WORKER" in os.environ:
        return
    from notifier.local.servers import Servers

    directory = Path(tempfile.mkdtemp(prefix="ntf-test-"))
    servers = Servers.start(directory, durable=False)
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(servers.stop)


start()
