"""Connections to the database that end in the middle of the work: whoever had them goes on alone."""

from tests.faults.blows import drive_through
from tests.faults.shop import RunningShop


def test_relay_and_worker_go_on_when_their_connections_are_ended(shop: RunningShop) -> None:
    def strike() -> bool:
        shop.sever("relay")
        shop.sever("worker")
        return True

    drive_through(shop, strike, name="severed", hits=["relay", "worker"])
    assert shop.said == []
