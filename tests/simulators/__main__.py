"""`python -m tests.simulators NAME --port N --record FILE --receipts-to URL`: one simulator as a process, until SIGTERM."""

import argparse
import asyncio
import signal
from importlib import import_module
from pathlib import Path

import msgspec

from tests.simulators.base import Simulator
from tests.simulators.behaviour import Control
from tests.simulators.server import serve


def simulator(name: str, options: dict[str, str]) -> Simulator:
    """The class of that name in tests/simulators/<name>.py, made with these options. Raises ValueError when there is none."""
    module = import_module(f"tests.simulators.{name}")
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, Simulator) and getattr(kind, "name", "") == name:
            return kind(**options)
    raise ValueError(f"tests/simulators/{name}.py has no simulator of that name.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--record", type=Path, help="append a line for every message to this file before answering")
    parser.add_argument(
        "--receipts-to", default="", metavar="URL", help="for messages that name no address of their own"
    )
    parser.add_argument("--tls", type=Path, metavar="DIRECTORY", help="speak TLS; simulator.pem there is the CA bundle")
    parser.add_argument("--control", default="{}", metavar="JSON", help="behaviours and receipts to begin with")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the simulator's")
    parser.add_argument("--ready", type=Path, metavar="FILE", help="write the URL there once it listens")
    options = parser.parse_args()
    made = simulator(options.name, dict(one.split("=", 1) for one in options.set))
    made.record_to(options.record)
    made.receipts_to = options.receipts_to
    control = msgspec.json.decode(options.control, type=Control)
    made.conduct.set(*(control.behaviours or ()))
    made.set_receipts(control.receipts or made.receipts)
    asyncio.run(_run(made, options.port, options.tls, options.ready))


async def _run(made: Simulator, port: int, tls: Path | None, ready: Path | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await serve(made, port=port, tls=tls)
    if ready is not None:
        ready.write_text(made.url)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    main()
