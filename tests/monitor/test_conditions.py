"""Each condition finds what is planted at its ages and not before; what is mended stays mended."""

from datetime import datetime, timedelta

import pytest
from django.core import mail as post_office
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import MerchantMember
from accounts.services import member_add
from catalog.models import Sku
from core import clock, monitor, schedule
from core.errors import ProgrammingMistake
from core.models import Heartbeat, OutboxStream, StateChange
from core.monitor import Level, Reading
from inventory.models import StockItem
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from payments.models import Refund
from payments.services.refund import refund_send
from tests.audit.plant import Ids, broken
from tests.factories import TESTER, make_user
from tests.factories.money import say_of_refund
from tests.factories.story import MERCHANT, capture, deliver_events, pack
from tests.monitor.cases import CASES, Case, silent, undelivered
from tests.orders.post import deliver_mails
from tests.orders.test_late_money import make_late_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ticking")]

SLACK = timedelta(seconds=20)  # how long a test may take between two looks


def look(code: str) -> Reading:
    """One condition, read in the running transaction, which is rolled back."""
    with connection.cursor() as cursor:
        [reading] = monitor.read(cursor, [monitor.conditions[code]])
    assert reading.error == ""
    return reading


def found() -> dict[str, Level]:
    """All conditions that found something."""
    with connection.cursor() as cursor:
        readings = monitor.read(cursor, monitor.conditions.values())
    assert [reading.error for reading in readings if reading.error] == []
    return {reading.condition.code: reading.level for reading in readings if reading.level}


def at(moment: datetime) -> None:
    """Business time is at least this."""
    clock.advance(max(moment - clock.now(), timedelta(0)))


def planted(name: str, ids: Ids) -> Case:
    """The case, well past the age at which it is warned of."""
    case = CASES[name]
    at(case.plant(ids) + case.warn_after + timedelta(hours=1))
    return case


def steps() -> int:
    return StateChange.objects.count()


@pytest.mark.parametrize("name", CASES)
def test_what_is_planted_is_found_at_its_ages_and_not_before(ids: Ids, name: str) -> None:
    case = CASES[name]
    since = case.plant(ids)
    for level, after in ((Level.WARN, case.warn_after), (Level.PAGE, case.page_after)):
        if after > SLACK:
            at(since + after - SLACK)
            assert look(case.code).level is Level(level - 1)
        at(since + after)
        if case.page_after > after or level is Level.PAGE:
            assert look(case.code).level is level
    assert look(case.code).count >= 1


def test_where_nothing_is_planted_nothing_is_found(ids: Ids) -> None:
    assert found() == {}


def test_every_condition_has_a_case() -> None:
    assert {case.code for case in CASES.values()} | {"S12", "S16"} == set(monitor.conditions)


def mend(name: str, reading: Reading) -> int:
    """Repairs what was read; a channel is asked before its unpaid group ends, by a second round."""
    done = monitor.repair(reading)
    if name == "unpaid":
        monitor.repair(reading)
    return done


@pytest.mark.parametrize(
    "name",
    [
        *("unpaid", "captured, not told", "late, not told", "late and reduced, not told"),
        *(
            "paid halfway",
            "not acknowledged",
            "not shipped",
            "refund failed",
            "reserved for nobody",
        ),
    ],
)
def test_mending_twice_is_as_good_as_once(ids: Ids, name: str) -> None:
    case = planted(name, ids)
    reading = look(case.code)
    assert mend(name, reading) == len(reading.subjects)
    once = steps(), OutboxStream.objects.count()

    monitor.repair(reading)

    assert (steps(), OutboxStream.objects.count()) == once


@pytest.mark.parametrize(
    "name",
    [
        *("unpaid", "captured, not told", "late, not told", "late and reduced, not told"),
        "refund failed",
    ],
)
def test_what_is_mended_is_found_no_more_and_the_books_hold(ids: Ids, name: str) -> None:
    case = planted(name, ids)

    mend(name, look(case.code))

    assert look(case.code).level is Level.CALM
    deliver_events()
    # Nobody has told of the promised group while the time passed.
    assert broken() <= {"inv_20_unpaid_overdue", "inv_30_unknown_outcome"}


def test_late_money_whose_refund_has_failed_is_told_once_as_that(ids: Ids) -> None:
    case = planted("late and reduced, not told", ids)
    clock.advance(timedelta(hours=25))  # nobody waits for the goods any more
    monitor.repair(look(case.code))
    for refund in Refund.objects.filter(payment=ids["pending_payment"]):
        say_of_refund(refund_send(refund_id=refund.pk, actor=TESTER), "refund_failed")

    assert (look("S3b").count, look("S10").count) == (0, 2)


def test_a_group_that_was_paid_halfway_goes_on_whole(ids: Ids) -> None:
    case = planted("paid halfway", ids)

    monitor.repair(look(case.code))

    group = OrderGroup.objects.get(pk=ids["pending"])
    assert {order.status for order in group.orders.all()} == {"paid"}
    assert look(case.code).level is Level.CALM


def test_stock_that_is_gone_is_left_to_a_person(ids: Ids) -> None:
    case = planted("paid without stock", ids)
    before = steps()

    assert monitor.repair(look(case.code)) == 0

    assert steps() == before
    assert look(case.code).subjects == (str(ids["paid_order1"]),)


def test_an_item_whose_stock_is_wrong_is_taken_off_sale(ids: Ids) -> None:
    case = planted("reserved for nobody", ids)
    wrong = StockItem.objects.filter(pk__in=look(case.code).subjects)
    skus = Sku.objects.filter(pk__in=wrong.values("sku_id"))
    assert {sku.active for sku in skus} == {True}

    monitor.repair(look(case.code))

    assert {sku.active for sku in skus.all()} == {False}
    assert look(case.code).level is Level.PAGE  # until the books are mended


def test_whoever_has_to_see_to_it_by_hand_is_not_overtaken() -> None:
    by_hand = {c.code for c in monitor.conditions.values() if not (c.repair and c.automatic)}
    assert by_hand == {"S10", "S10b", "S12", "S14", "S16", "S20", "S22"}


def hire(order: Order) -> str:
    user = make_user()
    member_add(
        merchant_id=order.merchant_id,
        user_id=user.pk,
        role=MerchantMember.Role.OWNER,
        actor=TESTER,
    )
    return user.email


@pytest.mark.parametrize(
    ("name", "order", "words"),
    [
        ("not acknowledged", "paid_order1", "nobody has acknowledged it"),
        ("not shipped", "packing_order1", "should have left by now"),
    ],
)
def test_a_merchant_is_reminded_once(ids: Ids, name: str, order: str, words: str) -> None:
    waiting = Order.objects.get(pk=ids[order])
    owner = hire(waiting)
    case = planted(name, ids)
    for _ in range(2):
        monitor.repair(look(case.code))
        deliver_mails()
    subject = f"Waiting for you: order {waiting.number}"
    reminders = [message for message in post_office.outbox if message.subject == subject]
    assert [message.to for message in reminders] == [[owner]]
    assert words in reminders[0].body


def test_who_has_gone_on_meanwhile_is_not_reminded(ids: Ids) -> None:
    order = Order.objects.get(pk=ids["paid_order1"])
    hire(order)
    case = planted("not acknowledged", ids)
    monitor.repair(look(case.code))
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken")
    deliver_mails()
    assert not any(order.number in m.subject for m in post_office.outbox if "Waiting" in m.subject)


def test_who_was_reminded_to_acknowledge_is_reminded_to_ship_too(ids: Ids) -> None:
    order = Order.objects.get(pk=ids["paid_order1"])
    owner = hire(order)
    planted("not acknowledged", ids)
    monitor.repair(look("S5"))
    deliver_mails()
    pack(order)
    clock.advance(timedelta(hours=72))
    monitor.repair(look("S6"))
    deliver_mails()
    subject = f"Waiting for you: order {order.number}"
    assert [m.to for m in post_office.outbox if m.subject == subject] == [[owner], [owner]]


def test_a_merchant_is_reminded_of_an_order_that_late_money_brought_back() -> None:
    group, attempt = make_late_group()
    capture(attempt)
    deliver_events()
    owners = {hire(order) for order in group.orders.all()}
    clock.advance(timedelta(hours=13))

    monitor.repair(look("S5"))
    deliver_mails()

    told = [m for m in post_office.outbox if str(m.subject).startswith("Waiting for you")]
    assert {to for m in told for to in m.to} == owners


@pytest.mark.parametrize("name", ["not acknowledged", "not shipped"])
def test_who_was_reminded_is_not_locked_again(ids: Ids, name: str) -> None:
    case = planted(name, ids)
    reading = look(case.code)
    monitor.repair(reading)

    with CaptureQueriesContext(connection) as queries:
        assert monitor.repair(reading) == 0

    assert len(queries) >= len(reading.subjects) > 0
    assert not any("FOR " in query["sql"] and "UPDATE" in query["sql"] for query in queries)


def test_a_failed_refund_is_tried_again_under_a_new_key(ids: Ids) -> None:
    case = planted("refund failed", ids)
    monitor.repair(look(case.code))
    refund = Refund.objects.get(reference=ids["paid_order1"])
    assert (refund.status, refund.tries) == ("approved", 2)


@pytest.mark.parametrize(
    ("seconds", "level"), [(20, Level.CALM), (31, Level.WARN), (100, Level.WARN), (121, Level.PAGE)]
)
def test_an_event_that_is_not_delivered_is_found_by_machine_time(
    ids: Ids, seconds: int, level: Level
) -> None:
    clock.advance(timedelta(days=1))
    undelivered(timedelta(seconds=seconds))
    assert look("S12").level is level


def test_a_parked_stream_is_found_too(ids: Ids) -> None:
    stream = undelivered(timedelta(seconds=121))
    OutboxStream.objects.filter(pk=stream.pk).update(parked=True)
    assert look("S12").subjects == (str(stream.pk),)


def test_a_notification_that_waits_on_purpose_is_no_lag(ids: Ids) -> None:
    stream = undelivered(timedelta(seconds=300))
    rows = OutboxStream.objects.filter(pk=stream.pk)
    rows.update(aggregate_type="hook", available_at=datetime.now().astimezone())
    assert look("S12").level is Level.CALM
    rows.update(attempts=1)
    assert look("S12").level is Level.PAGE


@pytest.mark.parametrize(
    ("name", "intervals", "level"),
    [
        ("complete-due-orders", 1.5, Level.CALM),
        ("complete-due-orders", 2.1, Level.WARN),
        ("complete-due-orders", 5.1, Level.PAGE),
        ("drain-outbox", 5.1, Level.CALM),  # each second: taken for 15
        ("drain-outbox", 15 * 2.1, Level.WARN),
    ],
)
def test_a_clock_is_missed_by_its_own_interval(name: str, intervals: float, level: Level) -> None:
    silent(name, timedelta(seconds=intervals * schedule.intervals[name]))
    reading = look("S16")
    assert reading.level is level
    assert reading.subjects == ((name,) if level else ())


def test_a_clock_that_has_never_ticked_is_missed() -> None:
    Heartbeat.objects.filter(name="watch").delete()
    assert look("S16").level is Level.PAGE


def test_without_the_schedule_no_clock_is_taken_for_ticking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "intervals", {})
    with pytest.raises(ProgrammingMistake):
        look("S16")


def test_two_conditions_of_one_code_are_refused() -> None:
    with pytest.raises(ProgrammingMistake):
        monitor.watch_for(monitor.conditions["S1"])


def test_only_the_oldest_are_named_but_all_are_counted(
    ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (300, 200, 100):
        age = timedelta(seconds=seconds)
        stream = undelivered(age)
        OutboxStream.objects.filter(pk=stream.pk).update(aggregate_id=seconds)
    monkeypatch.setattr(monitor, "MOST_SUBJECTS", 2)
    reading = look("S12")
    assert (reading.count, len(reading.subjects), reading.level) == (3, 2, Level.PAGE)
