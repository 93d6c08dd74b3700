"""schemathesis against a web process on the test's database, with a key that may do everything."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.environment.conftest import REPOSITORY, eventually
from tests.ports import free_ports

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
COUNT = re.compile(r"(\d+) generated")


@contextmanager
def web(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """The address of a real web process, which writes that log and ends with this."""
    address = f"127.0.0.1:{free_ports()}"
    with log.open("w") as writer:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind={address}"),
                *("--worker-class=gthread", "--workers=2", "--threads=2", "--no-control-socket"),
            ],
            cwd=REPOSITORY,
            env=environment,
            stdout=writer,
            stderr=writer,
        )
    try:
        eventually(lambda: answers(address))
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def fuzz(
    url: str, secret: str, folder: Path, *, phases: str, cases_each: int, ids: Mapping[str, str]
) -> tuple[int, str]:
    """Sends cases to every operation; answers how many they were, and what was found ('' if nothing).

    `ids` are those of rows that are there: half of the work would else end at the door.
    """
    config = folder / "schemathesis.toml"
    lines = [f"{json.dumps(f'path.{name}')} = {json.dumps(value)}" for name, value in ids.items()]
    config.write_text("\n".join(["[parameters]", *lines]))
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run"),
            f"{url}/api/v1/openapi.json",
            f"--header=Authorization: Bearer {secret}",
            f"--checks={','.join(CHECKS)}",
            f"--phases={phases}",
            f"--max-examples={cases_each}",
            "--seed=1",
            "--continue-on-failure",
            "--generation-database=none",
            "--suppress-health-check=all",
            "--no-color",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    count = COUNT.search(finished.stdout)
    assert count, finished.stdout + finished.stderr
    sys.stdout.write(f"{count[1]} cases\n")
    return int(count[1]), "" if finished.returncode == 0 else finished.stdout
