"""A process of its own for each deed, which dies where it is told to.

`python -m tests.faults.forks` gets the application ready once and then makes a new process of
itself for each line that it reads: a whole start per death would cost seconds.
"""

import json
import os
import subprocess
import sys
import traceback
from typing import Any, Self

from tests.environment.conftest import REPOSITORY

DIED = 137


class Forks:
    """The parent of those processes, at a test's side."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._parent.communicate(timeout=30)

    def do(self, deed: str, token: str, *, crash_at: str = "") -> int:
        """Has a new process do the deed; answers its exit code."""
        assert self._parent.stdin
        assert self._parent.stdout
        print(json.dumps([deed, token, crash_at]), file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())


def main() -> None:
    import django

    django.setup()
    from tests.faults.deeds import DEEDS  # the models are there now

    for line in sys.stdin:
        deed, token, crash_at = json.loads(line)
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201
        else:
            _live(DEEDS[deed], token, crash_at)


def _live(deed: Any, token: str, crash_at: str) -> None:
    from django.conf import settings

    from core import ids

    settings.CRASH_AT = crash_at
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        deed(token)
        ids.release()
    except BaseException:  # noqa: BLE001 the parent is told by the exit code, a person by this
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
