"""`make run`: servers, secrets, schema and demo data, every process, the story; then keep all of it running."""

import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from notifier.local import keys, ports
from notifier.local.children import Child, Ports, process_table
from notifier.local.console import Console
from notifier.local.environment import child_environment, is_given, service_variables
from notifier.local.holding import ServerError, hold
from notifier.local.postgres import Postgres
from notifier.local.prepare import schema_fingerprint
from notifier.local.processes import die_with_parent, kill_marked
from notifier.local.redis import Redis
from notifier.local.supervisor import Running, Supervisor

if TYPE_CHECKING:
    from notifier.local.story import Verdict

_USUAL_PORTS = Ports(web=8000, stream=8001, sandbox=8002)
_MARK = "NOTIFIER_LOCAL_RUN"
_START_UP = 120.0


@dataclass(frozen=True)
class Plan:
    """What to run. The tests put small programs in the place of the service's processes."""

    project: Path
    table: Callable[[Ports, Path], tuple[Child, ...]] = process_table
    prepare: tuple[str, ...] = (sys.executable, "-m", "notifier.local.prepare")
    usual_ports: Ports = _USUAL_PORTS
    patience: float = 8.0  # seconds from SIGTERM to SIGKILL

    @property
    def local(self) -> Path:
        return self.project / ".local"


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived."""


class Runner:
    """One run from start to end; `run` returns the exit status."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], console: Console) -> None:
        self._plan = plan
        self._environ = environ
        self._console = console
        self._once = environ.get("NOTIFIER_ONCE") == "1"
        self._servers: list[Postgres | Redis] = []
        self._supervisor: Supervisor | None = None
        self._verdict: Verdict | None = None
        self._stopping = False

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)
        if "MAKELEVEL" in self._environ:
            die_with_parent(signal.SIGTERM)
        try:
            with ExitStack() as stack:
                try:
                    return self._serve(stack)
                finally:
                    self._stopping = True
        except Interrupted:
            return 0
        except (ServerError, OSError) as error:
            self._say_red(str(error))
            return 1
        finally:
            self._console.say("Stopped")

    def _serve(self, stack: ExitStack) -> int:
        local, plan = self._plan.local, self._plan
        local.mkdir(exist_ok=True)
        stack.enter_context(hold(local))
        if left := kill_marked(_MARK, str(local)):
            self._console.say(f"Ended {len(left)} processes that an earlier run had left")
        addresses = self._start_servers(stack)
        chosen = self._choose_ports()
        env = child_environment(self._environ, keys.load_or_make(local / "env"), addresses, chosen)
        keys.write(local / "running.env", service_variables(env))
        env[_MARK] = str(local)
        scratch = local / "run"
        scratch.mkdir(exist_ok=True)
        supervisor = Supervisor(plan.table(chosen, scratch), env=env, cwd=plan.project, console=self._console)
        self._supervisor = supervisor
        stack.callback(supervisor.stop, plan.patience)
        stamp = _Stamp.of(plan, addresses.get("DATABASE_URL", ""))
        return self._follow(supervisor, stamp, f"http://127.0.0.1:{chosen.web}")

    def _start_servers(self, stack: ExitStack) -> dict[str, str]:
        """Addresses given in the environment are used as they are, and then no server of that kind is started."""
        local, say = self._plan.local, self._console.say
        found: dict[str, str] = {}
        if not is_given(self._environ, "REDIS_URL"):
            redis = Redis(local, durable=True, say=say)
            stack.callback(redis.stop)
            redis.start()
            self._servers.append(redis)
            found["REDIS_URL"] = redis.redis_url
        if not is_given(self._environ, "DATABASE_URL"):
            postgres = Postgres(local, durable=True, say=say)
            stack.callback(postgres.stop)
            postgres.start()
            self._servers.append(postgres)
            found["DATABASE_URL"] = postgres.database_url
        for server in self._servers:
            say(f"{type(server).__name__} is ready on 127.0.0.1:{server.port}")
        return found

    def _choose_ports(self) -> Ports:
        chosen: dict[str, int] = {}
        for name, usual in asdict(self._plan.usual_ports).items():
            chosen[name] = ports.choose(usual, frozenset(chosen.values()))
            if chosen[name] != usual:
                self._console.say(f"Port {usual} is taken: {name} listens on {chosen[name]}")
        return Ports(**chosen)

    def _follow(self, supervisor: Supervisor, stamp: "_Stamp", url: str) -> int:
        """The loop of a run. Returns only when the run is over by itself: `NOTIFIER_ONCE`, or a preparation that failed.

        The processes start beside the preparation when the schema is known to be right, after it when it is not.
        """
        began, late_said = time.monotonic(), False
        demo_file = self._plan.local / "demo.json"
        preparation: Running | None = supervisor.launch(Child("prepare", (*self._plan.prepare, str(demo_file))))
        started = stamp.is_current()
        if started:
            supervisor.start()
        storyteller: Thread | None = None
        while True:
            if preparation is not None and (status := preparation.status()) is not None:
                if status != 0:
                    self._say_red("Database, static files and demo data could not be prepared; see the lines above.")
                    return 1
                preparation = None
                demo_file.chmod(0o600)
                stamp.write()
                if not started:
                    supervisor.start()
                    started = True
            if started:
                supervisor.tick()
            self._revive_servers()
            ready = started and preparation is None and not supervisor.waiting_for()
            if ready and storyteller is None:
                storyteller = Thread(target=self._tell, args=(url, demo_file), daemon=True)
                storyteller.start()
            if self._verdict is not None and self._once:
                return 0 if self._verdict.delivered else 1
            if self._once and (broken := supervisor.broken()):
                self._say_red(f"Does not start: {', '.join(broken)}")
                return 1
            if storyteller is None and not late_said and time.monotonic() - began > _START_UP:
                late_said = True
                self._say_red(f"Not ready after {_START_UP:g} s: {', '.join(supervisor.waiting_for())}")
                if self._once:
                    return 1
            time.sleep(0.2 if self._verdict is not None else 0.03)

    def _revive_servers(self) -> None:
        for server in self._servers:
            if not server.is_running():
                self._say_red(f"{type(server).__name__} has ended; starting it again")
                server.restart()

    def _tell(self, url: str, demo_file: Path) -> None:
        from notifier.local.story import Story, Verdict, load_demo

        try:
            story = Story(url, load_demo(demo_file), self._console)
            verdict = story.play()
            if verdict.delivered:
                story.afterword()
            if not self._once:
                self._console.say("Serving; Ctrl-C stops everything")
        except Exception as error:
            verdict = Verdict(False, f"The story could not be told: {error!r}")
        if not verdict.delivered:
            self._say_red(verdict.reason)
            self._say_troubles()
        self._verdict = verdict

    def _say_troubles(self) -> None:
        for one in self._supervisor.running if self._supervisor else []:
            for line in one.trouble():
                self._console.line(one.child.name, line)

    def _say_red(self, text: str) -> None:
        self._console.say(self._console.paint(text, "red"))

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """The first one ends the run; one more while it ends means: at once."""
        if self._stopping:
            if self._supervisor is not None:
                self._supervisor.kill()
            return
        self._stopping = True
        self._console.say(f"{signal.Signals(number).name}: stopping")
        raise Interrupted


@dataclass(frozen=True)
class _Stamp:
    """Remembers for which database which schema was prepared. Only for a server of our own; another's may change unseen."""

    path: Path
    text: str

    @classmethod
    def of(cls, plan: Plan, database_url: str) -> Self:
        password = urlsplit(database_url).password or ""
        identity = sha256(f"{password} {schema_fingerprint(plan.project)}".encode()).hexdigest()
        return cls(plan.local / "prepared", identity if password else "")

    def is_current(self) -> bool:
        return bool(self.text) and self.path.exists() and self.path.read_text() == self.text

    def write(self) -> None:
        if self.text:
            self.path.write_text(self.text)
