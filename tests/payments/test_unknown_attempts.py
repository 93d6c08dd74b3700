"""Who is asked about an outcome that a channel owes us, and how often."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from payments.channels import sandbox
from payments.channels.base import Answer
from payments.models import Attempt
from payments.selectors import ASK, unknown_attempt_ids
from payments.services.collect import attempt_answer_record
from tests.factories import TESTER
from tests.factories.money import make_attempt, make_payment, say

pytestmark = pytest.mark.django_db
ROUNDS_OF_AN_HOUR = int(timedelta(hours=1) / ASK)


def processing(channel: str = sandbox.NAME) -> Attempt:
    """The channel has said no more than that it is at it."""
    attempt = make_attempt(make_payment(1000), channel=channel)
    answer = Answer(status="processing", amount_minor=1000, currency="EUR")
    return attempt_answer_record(attempt_id=attempt.pk, answer=answer, actor=TESTER)


def test_a_transfer_is_asked_about_four_times_an_hour_and_a_card_each_round() -> None:
    transfer, card = processing(sandbox.TRANSFER), processing()
    clock.advance(ASK / 2)
    asked: Counter[int] = Counter()
    for _ in range(ROUNDS_OF_AN_HOUR):
        clock.advance(ASK)
        asked.update(unknown_attempt_ids(most=500))
    assert asked[transfer.pk] == 4
    # Not in the first two minutes, in which it may answer by itself.
    assert asked[card.pk] == ROUNDS_OF_AN_HOUR - 3


def test_neither_kind_takes_the_turn_of_the_other() -> None:
    transfers = [processing(sandbox.TRANSFER) for _ in range(5)]
    cards = [processing() for _ in range(5)]
    clock.advance(timedelta(minutes=15, seconds=2))
    asked = unknown_attempt_ids(most=4)
    assert asked == [attempt.pk for attempt in [*cards[:3], transfers[0]]]


def test_where_no_transfer_waits_all_are_cards_oldest_first() -> None:
    cards = [processing() for _ in range(5)]
    clock.advance(timedelta(minutes=3))
    assert unknown_attempt_ids(most=4) == [attempt.pk for attempt in cards[:4]]


def test_no_more_transfers_are_read_than_may_be_asked_about() -> None:
    processing(sandbox.TRANSFER)
    clock.advance(timedelta(minutes=10))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert unknown_attempt_ids(most=4) == []
    [of_transfers] = [query["sql"] for query in queries if "EPOCH" in query["sql"]]
    assert "LIMIT 1" in of_transfers


def test_what_has_its_outcome_is_not_asked_about() -> None:
    attempt = processing()
    say(attempt, "failed")
    clock.advance(timedelta(minutes=15))
    assert unknown_attempt_ids(most=4) == []
