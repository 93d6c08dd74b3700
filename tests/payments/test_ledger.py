"""The book: every posting sums to zero, is booked once, and is answered by its mirror."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.errors import ProgrammingMistake
from payments.models import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.selectors import balance_minor
from payments.services.ledger import CHART, Leg, post, reverse
from tests.factories import TESTER
from tests.factories.money import GENE, in_command
from tests.payments.books import broken
from tests.threads import together

pytestmark = pytest.mark.django_db

amounts = some.integers(-(10**12), 10**12)
lines = some.tuples(some.sampled_from(sorted(CHART)), some.sampled_from(["EUR", "JPY"]), amounts)


def legs(*lines: tuple[str, str, int]) -> list[Leg]:
    return [
        Leg(code=code, currency=currency, amount_minor=amount) for code, currency, amount in lines
    ]


def book(ref: str, *lines: tuple[str, str, int]) -> LedgerTransaction:
    return in_command(
        lambda: post(shard_key=GENE, kind="test", ref=ref, legs=legs(*lines), actor=TESTER)
    )


def unbook(posting: LedgerTransaction) -> LedgerTransaction:
    return in_command(lambda: reverse(posting=posting, kind="undo", ref=posting.ref, actor=TESTER))


def balances() -> Counter[str]:
    sums: Counter[str] = Counter()
    for account_id, amount_minor in LedgerEntry.objects.values_list("account", "amount_minor"):
        sums[account_id] += amount_minor
    return Counter({account_id: minor for account_id, minor in sums.items() if minor})


def test_a_posting_opens_the_accounts_that_it_needs() -> None:
    book("1", ("escrow", "EUR", -100), ("channel_clearing", "EUR", 100))

    accounts = LedgerAccount.objects.order_by("id")
    assert [(account.id, account.kind) for account in accounts] == [
        ("channel_clearing:EUR", "asset"),
        ("escrow:EUR", "liability"),
    ]
    assert balance_minor("channel_clearing", "EUR") == 100


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("escrow", "EUR", 100)],
        [("escrow", "EUR", 100), ("rounding", "EUR", -99)],
        [("escrow", "EUR", 100), ("escrow", "JPY", -100)],
        [("escrow", "EUR", 0), ("rounding", "EUR", 0)],
    ],
)
def test_what_does_not_sum_to_zero_is_a_mistake(lines: list[tuple[str, str, int]]) -> None:
    with pytest.raises(ProgrammingMistake):
        book("1", *lines)
    assert not LedgerTransaction.objects.exists()


def test_an_account_outside_the_chart_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        book("1", ("petty_cash", "EUR", 100), ("escrow", "EUR", -100))


def test_a_fact_is_booked_once() -> None:
    first = book("1", ("escrow", "EUR", -100), ("channel_clearing", "EUR", 100))
    again = book("1", ("escrow", "EUR", -100), ("channel_clearing", "EUR", 100))

    assert again == first
    assert LedgerEntry.objects.count() == 2


def test_a_posting_outside_a_command_is_a_mistake() -> None:
    with pytest.raises(ProgrammingMistake):
        post(shard_key=GENE, kind="test", ref="1", legs=[], actor=TESTER)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drafts=some.lists(some.lists(lines, min_size=1, max_size=5), min_size=1, max_size=4))
def test_whatever_is_booked_and_reversed_the_book_sums_to_zero(
    db: None, drafts: list[list[tuple[str, str, int]]]
) -> None:
    LedgerEntry.objects.all().delete()
    LedgerTransaction.objects.update(reverses=None)
    LedgerTransaction.objects.all().delete()
    postings = []
    for number, draft in enumerate(drafts):
        sums: Counter[str] = Counter()
        for _, currency, amount_minor in draft:
            sums[currency] += amount_minor
        balanced = [*draft, *(("rounding", currency, -minor) for currency, minor in sums.items())]
        if sum(1 for *_, amount_minor in balanced if amount_minor) < 2:
            continue
        postings.append(book(str(number), *balanced))
        assert broken_books() == []

    for posting in postings:
        unbook(posting)
    assert balances() == Counter()
    assert broken_books() == []


def broken_books() -> list[str]:
    return [name for name in broken() if name.startswith(("inv_06", "inv_07", "inv_08"))]


def test_a_reversal_points_at_what_it_answers_and_is_booked_once() -> None:
    posting = book("1", ("escrow", "EUR", -100), ("channel_clearing", "EUR", 100))
    first, again = (unbook(posting) for _ in range(2))
    assert first == again
    assert first.reverses == posting
    assert balances() == Counter()


@pytest.mark.django_db(transaction=True)
def test_first_postings_at_once_open_their_accounts_once() -> None:
    even = sorted(CHART)[: len(CHART) // 2 * 2]  # so that the legs sum to zero

    def booking(number: int) -> LedgerTransaction:
        codes = sorted(even, reverse=bool(number % 2))
        pairs = [(code, "SEK", 100 if place % 2 else -100) for place, code in enumerate(codes)]
        return book(str(number), *pairs)

    results = together(*[lambda number=number: booking(number) for number in range(8)])

    assert not [result for result in results if isinstance(result, Exception)]
    assert LedgerAccount.objects.filter(currency="SEK").count() == len(even)
    assert broken_books() == []
