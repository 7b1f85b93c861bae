"""What makes a process misbehave, wrapped around the product's functions from outside. Each word is for one process only.

FAULT="<point>:<kill|stop>:<n>"   the process gets SIGKILL or SIGSTOP when it passes the point for the n-th time
MUTANT="<name>"                   one fence of the product is taken out (mutants.py; the suite must notice: test_the_suite_itself.py)
BELLS="10"                        every bell is published that often, also while it rings
DOUBTS="0.1"                      doubts are resolved that much sooner
NAMES="<host>=<address>,<address>|<address>;..."   what a name stands for: one look-up after the other, `|` between those of one
CLAIMS="<file>"                   a line for each claim of work: when it ended (seconds since 1970), the seconds that it took
DEADLINE="2"                      seconds a provider call may take, so that calls in flight lapse soon
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count, cycle
from types import ModuleType
from typing import Any

from django.apps import AppConfig

from tests.faults.mutants import mutate

POINTS = (
    "before_accept",
    "after_accept",
    "after_claim",
    "before_route_commit",
    "after_route_commit",
    "after_send_claim",
    "after_intent",
    "after_call",
    "before_settle_commit",
    "after_settle",
    "after_flush_locks",
    "before_flush_commit",
    "after_flush_commit",
    "before_fire_commit",
    "after_fire_commit",
    "before_page_commit",
    "after_page_commit",
    "after_import_copy",
    "before_import_commit",
    "after_import_page",
)
POISON = "poison"
_hits = count(1)


class SabotageConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        if deadline := os.environ.get("DEADLINE"):
            _set_deadline(float(deadline))
        if factor := os.environ.get("DOUBTS"):
            _resolve_sooner(float(factor))
        if names := os.environ.get("NAMES"):
            _name(names)
        if times := os.environ.get("BELLS"):
            _ring_often(int(times))
        if claims := os.environ.get("CLAIMS"):
            _time_claims(claims)
        if fault := os.environ.get("FAULT"):
            _arm(*fault.split(":"))
        if mutant := os.environ.get("MUTANT"):
            mutate(mutant)
        _poison()


def _name(words: str) -> None:
    original = socket.getaddrinfo
    answers = {host: cycle(said.split(",")) for host, said in (word.split("=") for word in words.split(";"))}

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in answers:
            return original(host, port, *rest, **more)
        found = next(answers[host]).split("|")
        return [one for address in found for one in original(address, port, *rest, **more)]

    socket.getaddrinfo = getaddrinfo


def _resolve_sooner(factor: float) -> None:
    from apps.channels.providers import twilio
    from apps.routing import doubting

    for key, policy in list(doubting.POLICIES.items()):
        asked = tuple(at * factor for at in policy.ask_at)
        doubting.POLICIES[key] = replace(policy, patience=policy.patience * factor, ask_at=asked)
    twilio.SETTLED *= factor


def _arm(point: str, what: str, number: str) -> None:
    from apps.audience.imports import lanes, staging, writing
    from apps.campaigns import expanding, running
    from apps.dispatch import draining, flushing, recording, route_batch, send_batch
    from apps.ledger import accepting, work
    from apps.ledger import flushing as flushes
    from apps.schedules import firing

    def fire() -> None:
        if next(_hits) == int(number):
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[what])

    match point:
        case "before_accept":
            _wrap(accepting, "accept", before=fire)
        case "after_accept":
            _wrap(accepting, "accept", after=fire)
        case "after_claim":
            _wrap(work, "claim", after=fire, only=bool)
        case "after_send_claim":
            _wrap(draining, "send_batch", before=fire)
        case "before_route_commit":
            _wrap(route_batch, "write_deliveries", after=fire)
        case "after_route_commit":
            _wrap(draining, "route_batch", after=fire, only=bool)
        case "after_intent":
            _wrap(send_batch, "write_intents", after=fire)
        case "after_call":
            _wrap(send_batch, "_outcomes", after=fire)
        case "before_settle_commit":
            _wrap(recording, "settle", after=fire)
        case "after_settle":
            _wrap(send_batch, "record", after=fire)
        case "before_page_commit":
            _wrap(expanding, "_expand", after=fire)
        case "after_page_commit":
            _wrap(running, "expand_next", after=fire, only=bool)
        case "after_flush_locks":
            _wrap(flushes, "lock_waiting", after=fire, only=bool)
        case "before_flush_commit":
            _wrap(flushes, "close_bundles", after=fire)
        case "after_flush_commit":
            _wrap(flushing, "_flush", after=fire, only=bool)
        case "before_fire_commit":
            _wrap(firing, "_save", after=fire)
        case "after_fire_commit":
            _wrap(firing, "fire_next", after=fire, only=bool)
        case "after_import_copy":
            _wrap(staging, "copy_rows", after=fire)
        case "before_import_commit":
            _wrap(writing, "_add", after=fire)
        case "after_import_page":
            _wrap(lanes, "write_page", after=fire)
        case _:
            raise ValueError(point)
    assert draining


def _wrap(
    module: ModuleType,
    name: str,
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
    only: Callable[[Any], bool] = lambda _: True,
) -> None:
    """`only`: after counts only for results of this kind."""
    original = getattr(module, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            before()
        result = original(*args, **kwargs)
        if after and only(result):
            after()
        return result

    setattr(module, name, wrapped)


def _set_deadline(seconds: float) -> None:
    from apps.dispatch import send_batch

    assert send_batch.DEADLINE and send_batch.DEADLINE_DEFAULT
    send_batch.DEADLINE = {"critical": seconds}
    send_batch.DEADLINE_DEFAULT = seconds


def _ring_often(times: int) -> None:
    from apps.dispatch import bells

    assert bells._silent
    bells._silent = lambda queues: list(queues) * times


def _time_claims(path: str) -> None:
    from apps.ledger import work

    original = work.claim

    def claim(**asked: Any) -> Any:
        began = time.perf_counter()
        found = original(**asked)
        with open(path, "a") as file:
            file.write(f"{time.time():.3f} {time.perf_counter() - began:.6f}\n")
        return found

    work.claim = claim


def _poison() -> None:
    """A message whose rendering takes the process with it, and one whose rendering finds a bug."""
    from apps.dispatch import preparing

    original = preparing.render

    def render(n: Any, *rest: Any) -> Any:
        if n.content.get("title") == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        if n.content.get("title") == "bug":
            raise ZeroDivisionError("a bug in the middle of a batch")
        return original(n, *rest)

    preparing.render = render
