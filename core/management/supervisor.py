"""Keeps child processes running: starts them, restarts those that die, stops them in order.

A child leads a session of its own and is told by the kernel when the supervisor is gone, however
that ended; so nothing outlives it to stand in the way of the next start.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

FIRST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 15
# A child that lived this long has started well: its next death is a new story.
PROVEN_SECONDS = 15
# Whoever stops the supervisor often waits ten seconds and then kills.
STOP_SECONDS = 9.5
POLL_SECONDS = 0.05
# How often a child that somebody else runs is asked whether it still answers.
LOOK_SECONDS = 2
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program to keep running. Lower stop stages are stopped first.

    `answers` tells whether it works, as seen from outside; None where only its life can be seen.
    A child that lives but has not answered for `silent_seconds` is killed and started again.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_stage: int = 2
    answers: Callable[[], bool] | None = None
    silent_seconds: float | None = None


class Supervisor:
    """Call `tend()` often, from the thread that started the children: they end with that thread."""

    def __init__(
        self,
        children: Iterable[Child],
        *,
        log_dir: Path,
        working_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._say = say
        self._kept = [
            _Kept(child, log_file=log_dir / f"{child.name}.log", working_dir=working_dir)
            for child in children
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        for kept in self._kept:
            kept.start()

    def start_missing(self) -> None:
        """Start those that do not answer; the others when, seen by `tend()`, they stop to."""
        for kept in self._kept:
            kept.only_if_silent = True
        self.tend()

    def tend(self) -> None:
        """Start again what has died and has waited for its back-off. Returns at once."""
        for kept in self._kept:
            if story := kept.tend():
                self._say(story)

    def pid_of(self, name: str) -> int:
        """The process that leads the named child. Raises KeyError where none runs."""
        return {kept.child.name: kept.process.pid for kept in self._kept if kept.process}[name]

    def running(self) -> list[str]:
        """Names of the children that it started and that live."""
        return [kept.child.name for kept in self._kept if kept.is_alive()]

    def stop(self, *, hurried: Callable[[], bool] = lambda: False) -> None:
        """TERM stage by stage; whatever is left after 9.5 s, or once `hurried`, is killed."""
        kill_at = time.monotonic() + STOP_SECONDS
        for stage in sorted({kept.child.stop_stage for kept in self._kept}):
            staged = [kept for kept in self._kept if kept.child.stop_stage == stage]
            for kept in staged:
                kept.terminate()
            while any(kept.is_alive() for kept in staged):
                if time.monotonic() >= kill_at or hurried():
                    break
                time.sleep(POLL_SECONDS)
            for kept in staged:
                kept.bury()


class _Kept:
    """A child, its present process, and when it may be started again."""

    def __init__(self, child: Child, *, log_file: Path, working_dir: Path) -> None:
        self.child = child
        self.only_if_silent = False
        self.process: subprocess.Popen[bytes] | None = None
        self._log_file = log_file
        self._working_dir = working_dir
        self._started_at = 0.0
        self._answered_at = 0.0
        self._ask_again_at = 0.0
        self._look_again_at = 0.0
        self._back_off_seconds = FIRST_BACK_OFF_SECONDS

    def start(self) -> None:
        with self._log_file.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                self.child.argv,
                cwd=self._working_dir,
                env={**os.environ, **self.child.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        self._started_at = time.monotonic()

    def tend(self) -> str:
        """Returns what there is to say: how the child ended; mostly nothing."""
        if self.process:
            if self.is_alive() and not self._is_silent():
                return ""
            return self._plan_restart(status=self.bury())
        if time.monotonic() >= self._look_again_at:
            if self.only_if_silent and self.child.answers and self.child.answers():
                self._look_again_at = time.monotonic() + LOOK_SECONDS
            else:
                self.start()
        return ""

    def _is_silent(self) -> bool:
        """It lives, yet it has stopped to work: a process of its pool died with a lock, perhaps."""
        now, bound = time.monotonic(), self.child.silent_seconds
        if bound is None or self.child.answers is None or now < self._ask_again_at:
            return False
        self._ask_again_at = now + LOOK_SECONDS
        if self.child.answers():
            self._answered_at = now
        return now > max(self._answered_at, self._started_at) + bound

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        """To the leader only: it knows best how to end its own children."""
        if self.process:
            self.process.terminate()

    def bury(self) -> int:
        """Kill what is left of the group, and return the leader's exit status."""
        if self.process is None:
            return 0
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self.process = None
        return status

    def _plan_restart(self, *, status: int) -> str:
        if time.monotonic() - self._started_at >= PROVEN_SECONDS:
            self._back_off_seconds = FIRST_BACK_OFF_SECONDS
        wait_seconds = self._back_off_seconds
        self._look_again_at = time.monotonic() + wait_seconds
        self._back_off_seconds = min(2 * wait_seconds, LONGEST_BACK_OFF_SECONDS)
        return (
            f"{self.child.name} ended ({status}), starts again in {wait_seconds:g} s:"
            f" see {self._log_file}"
        )


def end_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program: the kernel is to end it with its parent."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask_kernel
