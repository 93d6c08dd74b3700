"""Children are started again, stopped in order, and never outlive their supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.management import supervisor
from core.management.supervisor import Child, Supervisor
from tests.environment.conftest import REPOSITORY, eventually, is_running

WAIT = "import time; time.sleep(60)"
# Notes its start and its end, takes half a second to end.
NOTES = """
import signal, sys, time
def note(word): open(sys.argv[1], "a").write(f"{sys.argv[2]} {word}\\n")
def end(*_): note("told"); time.sleep(0.5); note("ended"); sys.exit()
signal.signal(signal.SIGTERM, end)
note("started")
time.sleep(60)
"""
# Ignores TERM, and so does its own child.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(f"{child.pid}\\n")
time.sleep(60)
"""
SUPERVISE = """
import sys, time
from pathlib import Path
from core.management.supervisor import Child, Supervisor
wait = [sys.executable, "-c", "import time; time.sleep(60)"]
children = Supervisor(
    [Child(name="a", argv=wait), Child(name="b", argv=wait)],
    log_dir=Path(sys.argv[1]), working_dir=Path(sys.argv[1]), say=print,
)
children.start()
print(children.pid_of("a"), children.pid_of("b"), flush=True)
time.sleep(60)
"""


class Watched(Supervisor):
    """A supervisor that keeps what it says."""

    def __init__(self, children: list[Child], *, folder: Path) -> None:
        self.said: list[str] = []
        super().__init__(children, log_dir=folder, working_dir=folder, say=self.said.append)


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def tend_until(children: Supervisor, condition: Callable[[], object]) -> None:
    def ask() -> object:
        children.tend()
        return condition()

    eventually(ask)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    with Watched([Child(name="one", argv=python(WAIT))], folder=tmp_path) as children:
        before = children.pid_of("one")
        os.kill(before, signal.SIGKILL)
        tend_until(children, lambda: children.said)
        tend_until(children, lambda: children.running() == ["one"])
        assert children.pid_of("one") != before
        assert children.said == [
            f"one ended (-9), starts again in 0.5 s: see {tmp_path / 'one.log'}"
        ]


def test_a_child_that_keeps_dying_waits_longer_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "LONGEST_BACK_OFF_SECONDS", 0.2)
    with Watched([Child(name="one", argv=["false"])], folder=tmp_path) as children:
        tend_until(children, lambda: len(children.said) == 4)
    waits = [line.split(" in ")[1].split(" s:")[0] for line in children.said]
    assert waits == ["0.05", "0.1", "0.2", "0.2"]


def test_children_stop_stage_by_stage(tmp_path: Path, notes: Path) -> None:
    children = Watched(
        [
            Child(name=name, argv=python(NOTES, str(notes), name), stop_stage=stage)
            for name, stage in (("worker", 2), ("web", 1))
        ],
        folder=tmp_path,
    )
    with children:
        eventually(lambda: notes.read_text().count("started") == 2)
        notes.write_text("")
    assert notes.read_text().splitlines() == [
        *("web told", "web ended"),
        *("worker told", "worker ended"),
    ]


def test_a_child_that_does_not_stop_is_killed_with_its_own_children(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)
    with Watched(
        [Child(name="one", argv=python(STUBBORN, str(notes)))], folder=tmp_path
    ) as children:
        grandchild = int(eventually(notes.read_text))
        child = children.pid_of("one")
        began_at = time.monotonic()
    assert 0.5 <= time.monotonic() - began_at < 5
    eventually(lambda: not is_running(child) and not is_running(grandchild))


def test_a_second_request_to_stop_is_heard(tmp_path: Path, notes: Path) -> None:
    children = Watched([Child(name="one", argv=python(STUBBORN, str(notes)))], folder=tmp_path)
    children.start()
    eventually(notes.read_text)
    began_at = time.monotonic()
    children.stop(hurried=lambda: True)
    assert time.monotonic() - began_at < 5


def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    killed = subprocess.Popen(
        python(SUPERVISE, str(tmp_path)), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout
    pids = [int(pid) for pid in killed.stdout.readline().split()]
    assert all(is_running(pid) for pid in pids)
    killed.kill()
    killed.communicate()
    eventually(lambda: not any(is_running(pid) for pid in pids), seconds=5)


def test_what_answers_already_is_left_alone_until_it_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.05)
    elsewhere = {"answers": True}
    children = Watched(
        [
            Child(name="there", argv=python(WAIT), answers=lambda: elsewhere["answers"]),
            Child(name="missing", argv=python(WAIT), answers=lambda: False),
        ],
        folder=tmp_path,
    )
    children.start_missing()
    try:
        assert children.running() == ["missing"]
        elsewhere["answers"] = False
        tend_until(children, lambda: children.running() == ["there", "missing"])
    finally:
        children.stop()


def test_a_child_that_lives_but_answers_no_more_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(supervisor, "FIRST_BACK_OFF_SECONDS", 0.01)
    answers = [True]
    child = Child(name="mute", argv=python(WAIT), answers=lambda: answers[-1], silent_seconds=0.5)
    with Watched([child], folder=tmp_path) as watched:
        first = watched.pid_of("mute")
        until = time.monotonic() + 1
        while time.monotonic() < until:
            watched.tend()
        assert watched.pid_of("mute") == first
        answers.append(False)

        def has_said() -> bool:
            watched.tend()
            return bool(watched.said)

        eventually(has_said)
        assert not is_running(first)
