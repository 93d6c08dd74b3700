"""A channel that loses, repeats and garbles what it tells: its list alone brings the books level."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from accounts.actors import system
from core import audit, clock
from core.errors import Conflict
from core.models import Hook
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.pay import payment_start
from payments import tasks
from payments.channels import sandbox as sandbox_channel
from payments.channels.base import ChannelDown
from payments.channels.report import report_of
from payments.models import Attempt, ChannelFact, Difference, ReconciliationRun, Refund
from payments.sandbox.faults import Rates
from payments.sandbox.transactions import fee_minor
from payments.selectors import balance_minor
from payments.services.day import day_certify
from tests.factories.story import BUYER, make_stocked_sku, place
from tests.faults.blows import money_here, money_there
from tests.faults.shop import RunningShop, is_at_rest, own_place, processes, read_book, soon

pytestmark = pytest.mark.django_db(transaction=True)

FEW, MANY = 60, 2_000
NAMES = ("web", "worker", "beat", "relay", "payment-sandbox")
LIES = Rates(
    drop=5,
    duplicate=10,
    delay=5,
    reorder=5,
    delay_seconds=1,
    lie_in_notification=1,
    lie_in_answer=1,
    lie_in_list=1,
    fail=2,
    seed="seed 130",  # among the first sixty of each kind it has a lie, and four that are lost
)
CALLED_OFF = 4  # one in so many
LIST_AGAIN_AFTER = timedelta(minutes=2)
TOLD = "SELECT id, body FROM notification WHERE copies > 0"
LOST = "SELECT count(*) FROM notification WHERE copies = 0"
AMOUNTS = "SELECT key, amount_minor FROM payment UNION ALL SELECT key, amount_minor FROM refund"
MOVED = "SELECT id, kind, ref, amount_minor FROM movement"


def test_what_a_channel_loses_repeats_and_garbles_comes_right_by_its_list(tmp_path: Path) -> None:
    with own_place(tmp_path), RunningShop(processes(*NAMES), tmp_path) as shop:
        trade(shop, FEW)


@pytest.mark.parametrize("groups", [FEW, MANY])
@pytest.mark.long
def test_a_worker_that_is_killed_on_the_way_changes_nothing_of_that(
    tmp_path: Path, groups: int
) -> None:
    with own_place(tmp_path), RunningShop(processes(*NAMES), tmp_path) as shop:
        trade(shop, groups, strike=lambda: shop.kill("worker"))
        assert shop.deaths("worker") >= 1


def trade(shop: RunningShop, groups: int, strike: Callable[[], None] = lambda: None) -> None:
    """Groups are placed and paid, some called off, while the channel lies; then it is reconciled with."""
    shop.until(lambda: shop.works("worker") and shop.works("payment-sandbox"))
    set_faults(**{name: getattr(LIES, name) for name in Rates.__dataclass_fields__})
    skus = [make_stocked_sku(units=groups) for _ in range(5)]
    chance = random.Random("lies")
    for number in range(groups):
        shop.tend()
        pay(place([(sku, 1) for sku in chance.sample(skus, chance.choice((1, 2)))]))
        if number == groups // 2:
            strike()
    shop.until_none(Attempt.objects.filter(status="created").count)
    shop.until(lambda: has_come_to_rest(shop))
    lost = Attempt.objects.filter(status="processing").count()
    call_some_off()
    settle(shop)
    assert_level(shop.folder, groups, lost=lost)
    sandbox_channel._client().close()
    sandbox_channel._client.cache_clear()


def set_faults(**faults: object) -> None:
    url = f"{settings.SANDBOX_PAYMENT_URL}/control/faults"
    httpx.post(url, json=faults, trust_env=False).raise_for_status()


def pay(group: OrderGroup) -> None:
    payment_start(
        group_id=group.pk,
        channel="sandbox",
        token="tok_ok",
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def call_some_off() -> None:
    """Of those, too, whose payment we have not heard of."""
    for group in OrderGroup.objects.order_by("pk")[::CALLED_OFF]:
        with suppress(Conflict):
            order_group_cancel(group_id=group.pk, actor=BUYER, reason="changed my mind")


def settle(shop: RunningShop) -> None:
    """The worker reconciles and asks after what is overdue, until the list says nothing new."""
    shop.until(lambda: has_come_to_rest(shop))
    listed = -1
    while listed != (listed := len(read_book(shop.folder, "payment-sandbox", MOVED))):
        list_again(shop)
        for attempt_id in Attempt.objects.filter(status="processing").values_list("pk", flat=True):
            tasks.ask_after_attempt.delay(attempt_id)  # as the clock does after two minutes
        shop.until_none(Attempt.objects.filter(status="processing").count)
        shop.until_none(Refund.objects.exclude(status="succeeded").count)
        shop.until(lambda: has_come_to_rest(shop))


def list_again(shop: RunningShop) -> None:
    """Sends what the clock sends each hour, and once more while the channel fails."""
    clock.advance(LIST_AGAIN_AFTER)
    runs = ReconciliationRun.objects.count()
    while ReconciliationRun.objects.count() == runs:
        shop.tend()
        tasks.reconcile_channel.delay("sandbox")
        soon(lambda: ReconciliationRun.objects.count() > runs)


def has_come_to_rest(shop: RunningShop) -> bool:
    return is_at_rest(shop.folder, books=["payment-sandbox"])


def assert_level(folder: Path, groups: int, *, lost: int) -> None:
    """Every movement is booked by its right amount, and every wrong amount waits for somebody."""
    assert lost > 0, "nothing was lost"
    assert read_book(folder, "payment-sandbox", LOST) > [(0,)]
    assert ChannelFact.objects.filter(origin="recon").exists()
    assert audit.run(final=True) == []
    assert money_here() == money_there(folder)
    assert ChannelFact.objects.filter(kind="captured").count() == groups
    assert_wrong_amounts_wait(folder)
    assert_sums(folder)


def assert_wrong_amounts_wait(folder: Path) -> None:
    amounts = dict(read_book(folder, "payment-sandbox", AMOUNTS))
    told = [(i, json.loads(body)) for i, body in read_book(folder, "payment-sandbox", TOLD)]
    wrong = {i for i, body in told if body["amount_minor"] != amounts[body["key"]]}
    in_review = set(Hook.objects.filter(state="review").values_list("event_id", flat=True))
    assert in_review == wrong != set()
    listed = read_book(folder, "payment-sandbox", MOVED)
    lied_about = {ref for number, _, ref, _ in listed if LIES.hits("lie_in_list", number)}
    assert set(Difference.objects.values_list("ref", flat=True)) == lied_about != set()
    assert set(Difference.objects.values_list("kind", flat=True)) == {"amount"}


def assert_sums(folder: Path) -> None:
    moved = read_book(folder, "payment-sandbox", MOVED)
    fees = sum(fee_minor(kind, amount_minor) for _, kind, _, amount_minor in moved)
    money = sum(amount if kind == "capture" else -amount for _, kind, _, amount in moved)
    assert balance_minor("channel_fees", "EUR") == fees
    assert balance_minor("channel_clearing", "EUR") == money - fees
    today = datetime.now(UTC).date()
    certificate = day_certify(
        channel="sandbox", day=today, report=report(), actor=system("reconciliation")
    )
    assert certificate.is_level, certificate.totals.all()


def report() -> list:
    """Today's, however often the channel fails."""
    while True:
        with suppress(ChannelDown):
            return report_of("sandbox", datetime.now(UTC).date())
