import pytest

from core.errors import Conflict
from inventory.models import Reservation, StockMovement
from inventory.services import reservation_commit, reservation_release
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db


def test_a_commit_moves_no_counter() -> None:
    item = make_stock(units=10)
    rows = [reserve(item, 2), reserve(item, 3)]

    in_command(reservation_commit, references=[row.reference for row in rows])

    assert set(Reservation.objects.values_list("status", flat=True)) == {"committed"}
    assert counters(item) == (10, 5)
    assert StockMovement.objects.filter(reason="reserve").count() == 2
    assert broken_stock_views() == {}


def test_a_repeated_commit_is_quiet() -> None:
    row = reserve(make_stock())

    for _ in range(2):
        in_command(reservation_commit, references=[row.reference])

    assert Reservation.objects.get().version == 2


def test_what_was_released_cannot_be_committed() -> None:
    held, released = reserve(make_stock()), reserve(make_stock())
    in_command(reservation_release, references=[released.reference], reason="timeout")

    with pytest.raises(Conflict, match=r"reservation\.released") as refusal:
        in_command(reservation_commit, references=[held.reference, released.reference])

    assert refusal.value.facts["references"] == [str(released.reference)]
    assert Reservation.objects.get(pk=held.pk).status == "held"
