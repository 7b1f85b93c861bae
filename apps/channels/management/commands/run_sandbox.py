"""manage.py run_sandbox: the outside world as a process of its own."""

import asyncio
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.channels.sandbox.process import Options, run


class Command(BaseCommand):
    help = "Run the sandbox provider: it takes messages for every channel, keeps them, and answers as the address says."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8002", metavar="HOST:PORT")
        parser.add_argument("--record", type=Path, help="append a line for every message to this file before answering")
        receipts = parser.add_mutually_exclusive_group()
        receipts.add_argument("--receipts-after", type=float, default=1.0, metavar="SECONDS")
        receipts.add_argument("--no-receipts", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SANDBOX_SECRET:
            raise CommandError("NOTIFIER_SANDBOX_SECRET is not set: nobody could send anything here.")
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdigit():
            raise CommandError("--bind needs HOST:PORT.")
        asyncio.run(
            run(
                Options(
                    host=host.strip("[]"),
                    port=int(port),
                    store=settings.SANDBOX_STORE,
                    record=options["record"],
                    receipts_after=None if options["no_receipts"] else options["receipts_after"],
                    door=settings.PUBLIC_URL,
                    secret=settings.SANDBOX_SECRET,
                )
            )
        )
