"""Children that yield the processor to those of other sessions, too."""

import os
import sys
import time
from pathlib import Path

import pytest

from notifier.local import processes
from notifier.local.processes import kill_group, spawn, wait_until, yield_processor

GROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(not GROUP.exists(), reason="this kernel does not share the processor among sessions")
@pytest.mark.parametrize("niceness", [0, 7])
def test_a_child_and_its_session_are_as_nice_as_asked_for(tmp_path: Path, niceness: int) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    with (tmp_path / "log").open("wb") as output:
        child = spawn(command, env=dict(os.environ), cwd=tmp_path, output=output, niceness=niceness)
    try:
        nicer = min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        assert wait_until(lambda: os.getpriority(os.PRIO_PROCESS, child.pid) == nicer, 10)
        group, _, nice = Path(f"/proc/{child.pid}/autogroup").read_text().strip().partition(" nice ")
        assert (group == GROUP.read_text().partition(" nice ")[0], nice) == (False, str(niceness))
    finally:
        kill_group(child.pid)
        child.wait()


@pytest.mark.parametrize(
    ("answers", "asked", "pauses"),
    [
        ([None], 1, 0),
        ([BlockingIOError(), BlockingIOError(), None], 3, 2),
        ([FileNotFoundError()], 1, 0),
        ([BlockingIOError()] * 30, 20, 20),
    ],
    ids=["at once", "too soon after another", "a kernel without them", "never"],
)
def test_it_asks_again_for_its_session_and_goes_on_without(
    monkeypatch: pytest.MonkeyPatch, answers: list[OSError | None], asked: int, pauses: int
) -> None:
    said: list[tuple[Path, str]] = []
    slept: list[float] = []

    def write(path: Path, text: str) -> None:
        said.append((path, text))
        if error := answers[len(said) - 1]:
            raise error

    niced: list[int] = []
    monkeypatch.setattr(os, "nice", niced.append)
    monkeypatch.setattr(Path, "write_text", write)
    monkeypatch.setattr(processes, "time", type("Clock", (), {"sleep": slept.append, "monotonic": time.monotonic}))
    yield_processor(10)
    assert (niced, said, slept) == ([10], [(GROUP, "10")] * asked, [0.02] * pauses)
