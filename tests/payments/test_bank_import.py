"""Statements are taken in whole or not at all, and each line once."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from core.errors import Denied, Invalid
from payments.models import BankLine, BankStatement, LineMatch, SenderAccount
from payments.services.bank_import import statement_import
from tests.audit.plant import broken
from tests.factories.bank import FINANCE, SENDERS_IBAN, line, statement, take_in
from tests.factories.story import BUYER

pytestmark = pytest.mark.django_db


def taken() -> tuple[int, int, int]:
    return (
        BankStatement.objects.count(),
        BankLine.objects.count(),
        LineMatch.objects.count(),
    )


def test_the_same_file_or_line_twice_is_quiet() -> None:
    first, second = line(1500, "one"), line(700, "two")
    assert (take_in(first).new, take_in(first).known) == (1, 1)
    imported = take_in(first, second, first)
    assert (imported.new, imported.known) == (1, 2)
    assert taken() == (2, 2, 2)
    assert broken() == set()


def test_nothing_of_a_file_that_is_wrong_in_one_place_is_taken_in() -> None:
    content = statement(line(1500), line(0))
    with pytest.raises(Invalid, match=r"statement\.unreadable") as raised:
        statement_import(name="a.csv", content=content, actor=FINANCE)
    assert raised.value.facts["problems"] == ["line 3, column 4: amount is 0"]
    assert taken() == (0, 0, 0)


@pytest.mark.parametrize(
    "changed", [{"amount": "16.00"}, {"booked_on": "2026-11-23"}, {"currency": "USD"}]
)
def test_a_line_that_is_told_in_another_way_is_refused(changed: dict[str, str]) -> None:
    take_in(line(1500, bank_ref="B1"))
    content = statement(line(800), line(1500, **{"bank_ref": "B1", **changed}))
    with pytest.raises(Invalid, match=r"statement\.contradicts"):
        statement_import(name="b.csv", content=content, actor=FINANCE)
    assert taken() == (1, 1, 1)


def test_the_same_name_twice_in_a_file_with_other_amounts_is_refused() -> None:
    content = statement(line(800, bank_ref="B1"), line(900, bank_ref="B1"))
    with pytest.raises(Invalid, match=r"statement\.contradicts"):
        statement_import(name="b.csv", content=content, actor=FINANCE)
    assert taken() == (0, 0, 0)


def test_only_the_platform_takes_statements_in() -> None:
    with pytest.raises(Denied):
        statement_import(name="b.csv", content=statement(line(1)), actor=BUYER)


def test_the_senders_account_stands_apart_and_masked_in_the_line() -> None:
    take_in(line(1500), line(-700))
    assert set(BankLine.objects.values_list("party_account", flat=True)) == {"DE89…3000"}
    assert list(SenderAccount.objects.values_list("iban", flat=True)) == [SENDERS_IBAN]


def test_the_command_takes_a_file_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "statement.csv"
    path.write_bytes(statement(line(1500)))
    call_command("bank_import", path)
    call_command("bank_import", path)
    assert capsys.readouterr().out == "1 new lines, 0 known\n0 new lines, 1 known\n"
    path.write_bytes(b"x")
    with pytest.raises(CommandError, match="line 1, column 1"):
        call_command("bank_import", path)
    with pytest.raises(CommandError, match="No such file"):
        call_command("bank_import", tmp_path / "none")
