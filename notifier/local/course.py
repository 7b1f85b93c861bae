"""The course of a run once the servers are there: prepare, start what the first notification needs, tell it, start the rest, watch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from notifier.local.children import Child
from notifier.local.console import Console
from notifier.local.interrupts import pause
from notifier.local.postgres import Postgres
from notifier.local.prepare import Stamp
from notifier.local.redis import Redis
from notifier.local.supervisor import Running, Supervisor

if TYPE_CHECKING:
    from notifier.local.story import Verdict

_START_UP = 120.0
_STORY_ALONE = 3.0


@dataclass
class Course:
    """`run` returns an exit status only when the run is over by itself: with `once`, or when the preparation failed.

    The processes start beside the preparation when the schema is known to be right, after it when it is not. The early ones
    start first and tell the story by themselves for up to three seconds: a dozen Python processes that start at once would
    make everybody wait for the last. `seed` comes when everything serves, and slows nobody down; killed, it goes on at the next start.
    """

    supervisor: Supervisor
    servers: Sequence[Postgres | Redis]
    console: Console
    prepare: tuple[str, ...]
    seed: tuple[str, ...]
    stamp: Stamp
    demo_file: Path
    url: str
    once: bool

    _preparation: Running | None = None
    _seeding: Running | None = None
    _early_started: bool = False
    _all_started: bool = False
    _serving: bool = False
    _told_since: float | None = None
    _late_said: bool = False
    _verdict: "Verdict | None" = None
    _began: float = field(default_factory=time.monotonic)

    def run(self) -> int:
        self._preparation = self.supervisor.launch(Child("prepare", (*self.prepare, str(self.demo_file))))
        if self.stamp.is_current():
            self._start_early()
        while True:
            for step in (
                self._watch_preparation,
                self._watch_processes,
                self._watch_servers,
                self._watch_seeding,
                self._watch_story,
            ):
                if (status := step()) is not None:
                    return status
            pause(0.2 if self._verdict is not None else 0.03)

    def _watch_preparation(self) -> int | None:
        if self._preparation is None or (status := self._preparation.status()) is None:
            return None
        if status != 0:
            self._say_red("Database, static files and demo data could not be prepared; see the lines above.")
            return 1
        self._preparation = None
        self.demo_file.chmod(0o600)
        self.stamp.write()
        if not self._early_started:
            self._start_early()
        return None

    def _start_early(self) -> None:
        self._early_started = True
        self.supervisor.start(only_early=True)

    def _watch_processes(self) -> int | None:
        self.supervisor.tick()
        if self.once and (broken := self.supervisor.broken()):
            self._say_red(f"Does not start: {', '.join(broken)}")
            self._say_troubles()
            return 1
        waiting = self.supervisor.waiting_for()
        if waiting and not self._late_said and time.monotonic() - self._began > _START_UP:
            self._late_said = True
            self._say_red(f"Not ready after {_START_UP:g} s: {', '.join(waiting)}")
            self._say_troubles()
            return 1 if self.once else None
        return None

    def _watch_servers(self) -> None:
        for server in self.servers:
            if not server.is_running():
                self._say_red(f"{type(server).__name__} has ended; starting it again")
                server.restart()

    def _watch_story(self) -> int | None:
        ready = self._early_started and self._preparation is None and not self.supervisor.waiting_for(only_early=True)
        if ready and self._told_since is None:
            self._told_since = time.monotonic()
            Thread(target=self._tell, daemon=True).start()
        alone_long_enough = self._told_since is not None and time.monotonic() - self._told_since > _STORY_ALONE
        if not self._all_started and (self._verdict is not None or alone_long_enough):
            self._all_started = True
            self.supervisor.start()
        if self._verdict is None:
            return None
        if self.once and not self._verdict.delivered:
            return 1
        if not self._serving and not self.supervisor.waiting_for():
            self._serving = True
            if self.once:
                return 0
            self.console.say("Serving; Ctrl-C stops everything")
            self._seeding = self.supervisor.launch(Child("seed", (*self.seed, str(self.demo_file)), niceness=5))
        return None

    def _watch_seeding(self) -> None:
        if self._seeding is not None and (status := self._seeding.status()) is not None:
            self._seeding = None
            if status != 0:
                self._say_red("The demo's campaigns could not be made; see the lines above.")

    def _tell(self) -> None:
        """Runs in a thread of its own, so that the processes are watched meanwhile."""
        from notifier.local.story import Story, Verdict, load_demo

        try:
            story = Story(self.url, load_demo(self.demo_file), self.console)
            verdict = story.play()
            if verdict.delivered:
                story.afterword()
        except Exception as error:
            verdict = Verdict(False, f"The story could not be told: {error!r}")
        if not verdict.delivered:
            self._say_red(verdict.reason)
            self._say_troubles()
        self._verdict = verdict

    def _say_troubles(self) -> None:
        for one in self.supervisor.running:
            for line in one.trouble():
                self.console.line(one.child.name, line)

    def _say_red(self, text: str) -> None:
        self.console.say(self.console.paint(text, "red"))
