"""`make run`: servers, secrets, schema and demo data, every process, then the course of the run."""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGTERM

from notifier.local import keys, ports
from notifier.local.children import Child, Ports, process_table
from notifier.local.console import Console
from notifier.local.course import Course
from notifier.local.environment import child_environment, is_given, service_variables
from notifier.local.holding import ServerError, hold
from notifier.local.interrupts import Interrupted, listen
from notifier.local.postgres import Postgres
from notifier.local.prepare import Stamp
from notifier.local.processes import die_with_parent, kill_marked
from notifier.local.redis import Redis
from notifier.local.supervisor import Supervisor

_USUAL_PORTS = Ports(web=8000, stream=8001, sandbox=8002)
_MARK = "NOTIFIER_LOCAL_RUN"


@dataclass(frozen=True)
class Plan:
    """What to run. The tests put small programs in the place of the service's processes. `prepare` and `seed` get the demo file."""

    project: Path
    table: Callable[[Ports, Path], tuple[Child, ...]] = process_table
    prepare: tuple[str, ...] = (sys.executable, "-m", "notifier.local.prepare")
    seed: tuple[str, ...] = (sys.executable, "manage.py", "seed_campaigns", "--login")
    usual_ports: Ports = _USUAL_PORTS
    patience: float = 8.0  # seconds from SIGTERM to SIGKILL

    @property
    def local(self) -> Path:
        return self.project / ".local"


class Runner:
    """One run from start to end; `run` returns the exit status."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], console: Console) -> None:
        self._plan = plan
        self._environ = environ
        self._console = console
        self._servers: list[Postgres | Redis] = []
        self._supervisor: Supervisor | None = None

    def run(self) -> int:
        listen(self._kill)
        if "MAKELEVEL" in self._environ:
            die_with_parent(SIGTERM)
        try:
            with ExitStack() as stack:
                try:
                    return self._serve(stack)
                except Interrupted as interrupted:
                    self._console.say(f"{interrupted.signal.name}: stopping")
                    raise
        except Interrupted:
            return 0
        except (ServerError, OSError) as error:
            self._console.say(self._console.paint(str(error), "red"))
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
        return Course(
            supervisor=supervisor,
            servers=self._servers,
            console=self._console,
            prepare=plan.prepare,
            seed=plan.seed,
            stamp=Stamp.of(plan.project, local / "prepared", addresses.get("DATABASE_URL", "")),
            demo_file=local / "demo.json",
            url=f"http://127.0.0.1:{chosen.web}",
            once=self._environ.get("NOTIFIER_ONCE") == "1",
        ).run()

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

    def _kill(self) -> None:
        """One more signal after the first means: at once."""
        if self._supervisor is not None:
            self._supervisor.kill()
