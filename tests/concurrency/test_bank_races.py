"""Two at once at the bank: one file, overlapping files, two parts of one attempt."""

from collections.abc import Callable
from functools import partial

import pytest

from payments.models import BankLine, BankStatement, ChannelFact, LineMatch, ManualTransfer
from payments.services.bank import line_match, receipts_settle
from payments.services.bank_import import statement_import
from tests.audit.plant import broken
from tests.concurrency.threads import at_once, deadlocks
from tests.factories import TESTER
from tests.factories.bank import FINANCE, line, make_awaited, settle_channel, statement
from tests.factories.money import fresh_row

pytestmark = pytest.mark.django_db(transaction=True)


def take(content: bytes) -> None:
    statement_import(name="a.csv", content=content, actor=FINANCE)


def test_the_same_file_four_times_at_once_is_taken_in_once() -> None:
    content = statement(*[line(100 + number) for number in range(20)])
    assert at_once([partial(take, content)] * 4) == {"done": 4}
    assert (BankStatement.objects.count(), BankLine.objects.count()) == (1, 20)
    assert LineMatch.objects.count() == 20


def test_files_that_overlap_take_each_line_in_once() -> None:
    lines = [line(100 + number) for number in range(20)]
    files = [statement(*lines[:15]), statement(*reversed(lines)), statement(*lines[5:])]
    before = deadlocks()
    assert at_once([partial(take, content) for content in files]) == {"done": 3}
    assert (BankLine.objects.count(), LineMatch.objects.count()) == (20, 20)
    assert deadlocks() == before


def test_two_parts_of_one_attempt_at_once_pay_it_once() -> None:
    group, attempt = make_awaited()
    take(statement(*[line(500, attempt.channel_ref) for _ in range(4)]))
    matches = LineMatch.objects.values_list("pk", flat=True)
    tasks = [partial(line_match, match_id=pk, actor=TESTER) for pk in matches] * 2
    assert at_once(tasks) == {"done": 8}
    settle_channel()
    assert fresh_row(group).status == "paid"
    assert ChannelFact.objects.filter(kind="captured").count() == 1
    assert ManualTransfer.objects.get().amount_minor == 500
    assert broken() == set()


def test_a_part_that_meets_the_end_of_its_attempt_is_nowhere_lost() -> None:
    from payments.handlers import close_at_channel

    _, attempt = make_awaited()
    take(statement(line(500, attempt.channel_ref)))
    match = LineMatch.objects.get()
    tasks: list[Callable[[], object]] = [
        partial(line_match, match_id=match.pk, actor=TESTER),
        partial(close_at_channel, attempt.pk),
    ]
    assert at_once(tasks) == {"done": 2}
    receipts_settle(attempt_id=attempt.pk, actor=TESTER)
    assert fresh_row(match).status == "returned"
    assert ManualTransfer.objects.get().amount_minor == 500
