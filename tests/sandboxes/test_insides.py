"""The two sandboxes stand alone, each with the same insides."""

import subprocess
import sys

import pytest

from .conftest import REPOSITORY

SAME = ("book.py", "fields.py", "notifier.py", "process.py", "server.py")
LOADED = """
import sys
before = set(sys.modules)
import {module}.__main__
print("\\n".join(sorted({{name.split(".")[0] for name in set(sys.modules) - before}})))
"""


@pytest.mark.parametrize("name", SAME)
def test_the_common_insides_are_the_same(name):
    payments, delivery = (REPOSITORY / app / "sandbox" / name for app in ("payments", "delivery"))
    assert payments.read_bytes() == delivery.read_bytes()


@pytest.mark.parametrize("app", ["payments", "delivery"])
def test_a_sandbox_imports_nothing_of_ours(app):
    program = LOADED.format(module=f"{app}.sandbox")
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=REPOSITORY, text=True)
    ours = {path.name for path in REPOSITORY.iterdir() if (path / "__init__.py").exists()}
    assert app in ours
    assert set(loaded.split()) & (ours | {"django", "celery", "psycopg"}) == {app}


@pytest.mark.parametrize(
    "options",
    [
        ("--secret", "whsec_"),
        ("--secret", "whsec_x"),
        ("--notify-url", "ftp://shop.example"),
        ("--port", "http"),
    ],
)
def test_a_bad_command_line_is_refused(options, tmp_path):
    good = {
        "--port": "1",
        "--book": str(tmp_path / "book"),
        "--secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "--notify-url": "http://127.0.0.1:1",
    }
    line = [part for pair in (good | dict([options])).items() for part in pair]
    command = [sys.executable, "-m", "payments.sandbox", *line]
    ended = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert ended.returncode == 2
    assert options[0] in ended.stderr
