from threading import Barrier, Thread

import pytest
from django.db import connection

from core.errors import Conflict
from core.models import StateChange
from inventory.models import Reservation, StockMovement
from inventory.services import reservation_commit, reservation_release, reservation_ship
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db


def release(*rows: Reservation) -> None:
    in_command(reservation_release, references=[row.reference for row in rows], reason="timeout")


@pytest.mark.parametrize("committed", [False, True])
def test_reserve_then_release_leaves_the_stock_as_it_was(committed: bool) -> None:
    item = make_stock(units=10)
    row = reserve(item, 4)
    if committed:
        in_command(reservation_commit, references=[row.reference])

    release(row)

    assert counters(item) == (10, 0)
    assert StateChange.objects.get(verb="release").reason == "timeout"
    assert broken_stock_views() == {}


def test_a_repeated_release_is_quiet() -> None:
    item = make_stock(units=10)
    row = reserve(item, 4)

    release(row)
    release(row)

    assert counters(item) == (10, 0)
    assert StockMovement.objects.filter(reason="release").count() == 1


def test_lines_of_one_article_are_released_together() -> None:
    item = make_stock(units=10)
    rows = [reserve(item, 4), reserve(item, 2), reserve(make_stock(), 1)]

    release(*rows)

    assert counters(item) == (10, 0)
    assert broken_stock_views() == {}


def test_what_has_left_is_not_released_with_the_rest() -> None:
    item = make_stock(units=10)
    row = reserve(item, 4)
    in_command(reservation_commit, references=[row.reference])
    in_command(reservation_ship, quantities={row.reference: 3})

    release(row)

    assert counters(item) == (7, 0)
    assert broken_stock_views() == {}


def test_a_line_that_has_left_whole_is_not_released() -> None:
    row = reserve(make_stock(), 4)
    in_command(reservation_commit, references=[row.reference])
    in_command(reservation_ship, quantities={row.reference: 4})

    with pytest.raises(Conflict, match=r"state\.conflict"):
        release(row)


def test_a_released_line_can_be_reserved_again() -> None:
    item = make_stock(units=4)
    row = reserve(item, 4)
    release(row)

    reserve(item, 4, reference=row.reference)

    assert counters(item) == (4, 4)
    assert broken_stock_views() == {}


@pytest.mark.django_db(transaction=True)
def test_eight_releases_at_once_release_once() -> None:
    item = make_stock(units=10)
    row = reserve(item, 4)
    barrier = Barrier(8)

    def give_up() -> None:
        barrier.wait()
        release(row)
        connection.close()

    threads = [Thread(target=give_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counters(item) == (10, 0)
    assert broken_stock_views() == {}
