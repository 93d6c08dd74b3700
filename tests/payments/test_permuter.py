"""What a channel tells, in any order, twice or late, before, with and after what people do."""

import pytest

from core import audit
from tests.factories.story import make_stocked_sku
from tests.payments.permuter import arrivals, begin, unexplained

FEW, MANY, AUDIT_EACH = 500, 20_000, 250

pytestmark = pytest.mark.django_db(transaction=True)


def play(seed: str, count: int) -> None:
    skus = [make_stocked_sku(units=2 * count) for _ in range(2)]
    for number, arrival in enumerate(arrivals(seed, count), start=1):
        telling = begin(skus)
        telling.play(arrival)
        assert unexplained(telling) == [], arrival
        if number % AUDIT_EACH == 0 or number == count:
            assert audit.run(final=True) == []


@pytest.mark.parametrize("part", range(4))
def test_five_hundred_orders_of_arrival_end_in_one_state(part: int) -> None:
    play(f"few {part}", FEW // 4)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_twenty_thousand_orders_of_arrival_end_in_one_state(part: int) -> None:
    play(f"many {part}", MANY // 10)
