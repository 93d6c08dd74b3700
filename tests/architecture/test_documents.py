"""What documents say of the code is there."""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT

NAMED = re.compile(r"`((?:\w+/)*\w+\.py)?(?:::)?(test_\w+)?`")


def named_in_vain(document: str) -> Iterator[str]:
    """Tests that a document names, by file and name or by name in the file named last."""
    source = ""
    for path, name in NAMED.findall(document):
        if path:
            file = ROOT / "tests" / path
            source = file.read_text() if file.exists() else ""
        if (path and not source) or (name and f"def {name}(" not in source):
            yield f"{path}::{name}"


def test_the_list_of_faults_names_tests_that_are_there() -> None:
    document = (ROOT / "docs" / "faults.md").read_text()
    assert list(named_in_vain(document)) == []


@pytest.mark.parametrize(
    "named", ["`faults/test_gone.py`", "`core/test_fsm.py::test_gone`", "`test_gone`"]
)
def test_a_test_that_is_gone_is_missed(named: str) -> None:
    assert list(named_in_vain(named))
