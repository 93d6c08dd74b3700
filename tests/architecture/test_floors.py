"""Imports go down only: the contracts hold, and a planted import breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import APPS, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for app in APPS:
        shutil.copytree(
            ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__", "migrations")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    answer = lint(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("path", "planted", "contract"),
    [
        ("payments/selectors.py", "import orders.models", "Imports go down the floors only"),
        ("payments/selectors.py", "import inventory.models", "Imports go down the floors only"),
        ("orders/selectors.py", "import orders.services.pay", "Inside an app"),
        ("orders/pricing.py", "import django", "Money and pricing are pure"),
        ("orders/services/pay.py", "import rest_framework", "Services know no edge"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    copy: Path, path: str, planted: str, contract: str
) -> None:
    with (copy / path).open("a") as source:
        source.write(f"\n{planted}\n")
    answer = lint(copy)
    assert answer.returncode == 1
    [broken] = [line for line in answer.stdout.splitlines() if line.endswith("BROKEN")]
    assert broken.startswith(contract)
