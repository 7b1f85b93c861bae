"""Sends receipts to the receipts door, up to 500 a call, signed like Standard Webhooks; again with backoff while the door is shut.

What is still to be sent is in the store, so a restart of the sandbox forgets nothing.
"""

import logging
from collections.abc import Iterable
from hashlib import sha256
from threading import Event, Thread
from time import time

import urllib3

from apps.channels.sandbox.store import Due, Store
from apps.channels.sandbox.wire import SandboxEvent, SandboxEvents, encode
from apps.channels.standard_webhooks import sign

log = logging.getLogger(__name__)
BATCH = 500
GATHER_SECONDS = 0.02
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
LONGEST_IDLE = 1.0
GIVE_UP_SECONDS = 3600.0


class Callbacks(Thread):
    """`door`: the public address of the service; receipts go to `<door>/v1/receipts/<account key>`."""

    def __init__(self, store: Store, door: str, secret: str) -> None:
        super().__init__(name="callbacks", daemon=True)
        self._store = store
        self._door = door.rstrip("/")
        self._secret = secret
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2.0, read=10.0))
        self._more = Event()
        self._stopped = Event()
        self._pauses: dict[str, tuple[float, float]] = {}

    def nudge(self) -> None:
        """There are new receipts."""
        self._more.set()

    def stop(self) -> None:
        self._stopped.set()
        self._more.set()
        self.join()

    def run(self) -> None:
        while not self._stopped.is_set():
            self._more.wait(self._idle())
            self._more.clear()
            self._stopped.wait(GATHER_SECONDS)
            for account, due in self._store.next_due().items():
                if due <= time() and self._pauses.get(account, (0.0, 0.0))[0] <= time():
                    self._send_due(account)

    def _idle(self) -> float:
        now = time()
        moments = [
            max(due, self._pauses.get(account, (0.0, 0.0))[0]) for account, due in self._store.next_due().items()
        ]
        return min([LONGEST_IDLE, *(max(0.0, moment - now) for moment in moments)])

    def _send_due(self, account: str) -> None:
        while not self._stopped.is_set() and (receipts := self._store.due(account, time(), BATCH)):
            if self._is_taken(account, receipts):
                self._pauses.pop(account, None)
                self._store.sent(receipts)
            else:
                _, pause = self._pauses.get(account, (0.0, SHORTEST_PAUSE / 2))
                pause = min(pause * 2, LONGEST_PAUSE)
                self._pauses[account] = (time() + pause, pause)
                self._store.sent(receipt for receipt in receipts if receipt.due < time() - GIVE_UP_SECONDS)
                return

    def _is_taken(self, account: str, receipts: list[Due]) -> bool:
        body = encode(SandboxEvents([_event(receipt) for receipt in receipts]))
        headers = sign(self._secret, message_id=_call_id(receipts), timestamp=int(time()), body=body)
        try:
            answer = self._http.request(
                "POST",
                f"{self._door}/v1/receipts/{account}",
                body=body,
                headers={**headers, "Content-Type": "application/json"},
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            log.info("receipts door not reached", extra={"account": account, "error": type(error).__name__})
            return False
        if answer.status >= 300:
            log.info("receipts refused", extra={"account": account, "status": answer.status})
        return answer.status < 300


def _event(receipt: Due) -> SandboxEvent:
    return SandboxEvent(receipt.event_id, receipt.kind, receipt.due, receipt.reference, receipt.message_id)


def _call_id(receipts: Iterable[Due]) -> str:
    """The same for the same receipts, so that a repeated call can be recognised."""
    return "msg_" + sha256("".join(receipt.event_id for receipt in receipts).encode()).hexdigest()[:32]
