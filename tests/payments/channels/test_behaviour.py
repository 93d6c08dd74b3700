"""What every channel does, against its provider: the proof for a new one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.hooks import HookRefused
from payments.channels.base import (
    NOT_FOUND,
    Answer,
    CaptureAt,
    ChannelDown,
    ChannelRefused,
    Charge,
)
from tests.payments.channels.conftest import Charging, new_key
from tests.payments.channels.rigs import Rig, other_secret
from tests.sandboxes.conftest import eventually


def captured(rig: Rig, charge: Charging, token: str = "paid", amount_minor: int = 1000) -> Charge:
    asked = charge(token, amount_minor)
    rig.channel.create(asked)
    eventually(lambda: rig.channel.query(asked.key).status == "captured")
    return asked


def refund(rig: Rig, asked: Charge, amount_minor: int, key: str = "") -> Answer:
    return rig.channel.refund(
        key=key or new_key(), payment_key=asked.key, amount_minor=amount_minor
    )


@pytest.fixture
def authorised(rig: Rig, charge: Charging) -> Charge:
    """Money that was promised on the hosted page, where the channel takes it in parts."""
    # For a channel to come: of those that are tried now each can, and nothing is skipped.
    if CaptureAt.SHIPMENT not in rig.channel.captures_at:
        pytest.skip("it takes all at once, and says so")
    asked = charge("page", capture_later=True)
    rig.pay(rig.channel.create(asked))
    eventually(lambda: rig.channel.query(asked.key).status == "authorised")
    return asked


def test_the_shopper_pays_on_the_hosted_page(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    answer = rig.channel.create(asked)
    assert (answer.status, answer.amount_minor, answer.currency) == ("requires_action", 1000, "EUR")
    assert answer.action_url.startswith("http")
    assert rig.channel.query(asked.key).status == "requires_action"

    rig.pay(answer)

    paid = rig.channel.query(asked.key)
    assert (paid.status, paid.amount_minor, paid.currency) == ("captured", 1000, "EUR")
    assert paid.ref
    assert paid.action_url == ""


def test_a_bank_that_asks_back_takes_the_money_after_its_answer(rig: Rig, charge: Charging) -> None:
    asked = charge("challenge")
    answer = rig.channel.create(asked)
    assert answer.status == "requires_action"
    rig.pay_after_challenge(answer)
    assert rig.channel.query(asked.key).status == "captured"


def test_the_same_key_again_is_the_same_payment(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    first, again = rig.channel.create(asked), rig.channel.create(asked)
    assert first == again


def test_another_amount_under_a_known_key_is_refused(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    rig.channel.create(asked)
    with pytest.raises(ChannelRefused) as refusal:
        rig.channel.create(replace(asked, amount_minor=1001))
    assert refusal.value.code == "key_reused"
    assert rig.channel.query(asked.key).amount_minor == 1000


@pytest.mark.parametrize("token", ["refused", "no money"])
def test_a_refusal_is_named_and_stays_when_it_is_asked_again(
    rig: Rig, charge: Charging, token: str
) -> None:
    asked = charge(token)
    for answer in (rig.channel.create(asked), rig.channel.create(asked)):
        assert (answer.status, answer.amount_minor) == ("failed", 1000)
        assert answer.failure_code
    assert rig.channel.query(asked.key) == answer
    if token == "no money":
        assert answer.failure_code == "insufficient_funds"


def test_a_token_that_nobody_knows_is_refused(rig: Rig, charge: Charging) -> None:
    with pytest.raises(ChannelRefused):
        rig.channel.create(charge("nonsense"))


def test_money_is_taken_at_once(rig: Rig, charge: Charging) -> None:
    asked = captured(rig, charge)
    answer = rig.channel.query(asked.key)
    assert (answer.amount_minor, answer.currency) == (1000, "EUR")


def test_promised_money_is_taken_in_parts(rig: Rig, authorised: Charge) -> None:
    first, last = new_key(), new_key()
    parts = [
        rig.channel.capture(
            key=key, payment_key=authorised.key, amount_minor=amount_minor, is_last=key == last
        )
        for key, amount_minor in ((first, 300), (last, 450))
    ]
    assert [(part.status, part.amount_minor, part.currency) for part in parts] == [
        ("succeeded", 300, "EUR"),
        ("succeeded", 450, "EUR"),
    ]
    assert len({part.ref for part in parts}) == 2
    for key, part in zip((first, last), parts, strict=True):
        assert rig.channel.query_capture(key=key, payment_key=authorised.key) == part
    assert refund(rig, authorised, 750).amount_minor == 750


def test_a_part_is_taken_once_per_key(rig: Rig, authorised: Charge) -> None:
    key = new_key()
    once: dict[str, Any] = {
        "key": key,
        "payment_key": authorised.key,
        "amount_minor": 300,
        "is_last": False,
    }
    assert rig.channel.capture(**once) == rig.channel.capture(**once)
    with pytest.raises(ChannelRefused):
        refund(rig, authorised, 301)


def test_more_than_was_promised_is_not_taken(rig: Rig, authorised: Charge) -> None:
    with pytest.raises(ChannelRefused):
        rig.channel.capture(
            key=new_key(), payment_key=authorised.key, amount_minor=1001, is_last=True
        )


def test_nothing_is_taken_after_the_last_part(rig: Rig, authorised: Charge) -> None:
    asked: dict[str, Any] = {"payment_key": authorised.key, "amount_minor": 10}
    rig.channel.capture(key=new_key(), is_last=True, **asked)
    with pytest.raises(ChannelRefused):
        rig.channel.capture(key=new_key(), is_last=True, **asked)


def test_a_promise_can_be_let_go(rig: Rig, authorised: Charge) -> None:
    assert rig.channel.close(authorised.key).status == "closed"
    with pytest.raises(ChannelRefused):
        rig.channel.capture(
            key=new_key(), payment_key=authorised.key, amount_minor=10, is_last=True
        )


def test_what_is_left_of_a_promise_can_be_let_go(rig: Rig, authorised: Charge) -> None:
    asked: dict[str, Any] = {"payment_key": authorised.key, "is_last": False}
    rig.channel.capture(key=new_key(), amount_minor=300, **asked)
    assert rig.channel.close(authorised.key).status == "closed"
    with pytest.raises(ChannelRefused):
        rig.channel.capture(key=new_key(), amount_minor=10, **asked)
    with pytest.raises(ChannelRefused):
        refund(rig, authorised, 301)
    assert refund(rig, authorised, 300).status == "succeeded"
    assert rig.notices_of("closed", authorised.key)


def test_closing_is_answered_closed_and_repeated_quietly(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    answer = rig.channel.create(asked)
    assert [rig.channel.close(asked.key).status for _ in range(2)] == ["closed", "closed"]
    rig.pay(answer)
    assert rig.channel.query(asked.key).status == "closed"


def test_closing_what_was_captured_is_answered_with_the_capture(rig: Rig, charge: Charging) -> None:
    answer = rig.channel.close(captured(rig, charge).key)
    assert (answer.status, answer.amount_minor) == ("captured", 1000)


def test_a_refund_is_made_once_per_key_and_can_be_asked_after(rig: Rig, charge: Charging) -> None:
    asked, key = captured(rig, charge), new_key()
    first, again = refund(rig, asked, 400, key), refund(rig, asked, 400, key)
    assert (first.status, first.amount_minor, first.currency) == ("succeeded", 400, "EUR")
    assert first == again == rig.channel.query_refund(key)


def test_no_more_goes_back_than_came(rig: Rig, charge: Charging) -> None:
    asked = captured(rig, charge)
    refund(rig, asked, 600)
    with pytest.raises(ChannelRefused):
        refund(rig, asked, 401)
    assert refund(rig, asked, 400).status == "succeeded"


def test_what_was_never_paid_does_not_go_back(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    rig.channel.create(asked)
    with pytest.raises(ChannelRefused):
        refund(rig, asked, 400)


def test_a_refund_that_fails_says_so_and_can_be_tried_again(rig: Rig, charge: Charging) -> None:
    asked, key = captured(rig, charge, "refund fails"), new_key()
    rig.refund_comes_back(refund(rig, asked, 1000, key))
    assert rig.channel.query_refund(key).status == "failed"
    refund(rig, asked, 1000, f"{key}.2")
    assert rig.notices_of("refund_failed", key)


@pytest.mark.parametrize("ask", ["query", "close", "query_refund"])
@pytest.mark.parametrize("key", ["a new one", "unknown"])
def test_an_unknown_key_is_refused_as_not_found(rig: Rig, ask: str, key: str) -> None:
    with pytest.raises(ChannelRefused) as refusal:
        getattr(rig.channel, ask)(new_key() if key == "a new one" else key)
    assert refusal.value.code == NOT_FOUND


@pytest.mark.parametrize("how", ["500", "silence"])
@pytest.mark.parametrize("token", ["page", "paid"])
def test_an_answer_that_is_lost_after_the_provider_acted_makes_nothing_twice(
    rig: Rig, charge: Charging, how: str, token: str
) -> None:
    asked = charge(token)
    with rig.proxy.spoiling(how):
        try:
            rig.channel.create(asked)
        except ChannelDown:
            assert rig.channel.query(asked.key).amount_minor == 1000
    answer = rig.channel.create(asked)
    if token == "page":
        rig.pay(answer)
    eventually(lambda: rig.channel.query(asked.key).status == "captured")
    assert refund(rig, asked, 1000).status == "succeeded"
    with pytest.raises(ChannelRefused):
        refund(rig, asked, 1)


@pytest.mark.parametrize("how", ["500", "silence"])
def test_a_refund_whose_answer_is_lost_is_made_once(rig: Rig, charge: Charging, how: str) -> None:
    asked, key = captured(rig, charge), new_key()
    with rig.proxy.spoiling(how):
        try:
            refund(rig, asked, 600, key)
        except ChannelDown:
            assert rig.channel.query_refund(key).status == "succeeded"
    assert refund(rig, asked, 600, key) == rig.channel.query_refund(key)
    with pytest.raises(ChannelRefused):
        refund(rig, asked, 600)


def test_every_notification_is_verified_and_read(rig: Rig, charge: Charging) -> None:
    asked = charge("page")
    rig.pay(rig.channel.create(asked))
    [(body, headers)] = rig.notices_of("captured", asked.key)
    assert rig.channel.verify(body, headers)
    notice = rig.channel.notice(body)
    assert notice is not None
    assert (notice.amount_minor, notice.currency) == (1000, "EUR")
    assert notice.ref == rig.channel.query(asked.key).ref


@pytest.mark.parametrize(
    ("age", "is_taken"),
    [
        (timedelta(seconds=290), True),
        (timedelta(seconds=-50), True),
        (timedelta(seconds=310), False),
        (timedelta(seconds=-70), False),
    ],
)
def test_only_what_was_signed_just_now_is_believed(
    rig: Rig, age: timedelta, is_taken: bool
) -> None:
    body, headers = rig.signed(b'{"id": "evt_1"}', at=datetime.now(UTC) - age)
    if is_taken:
        assert rig.channel.verify(body, headers) == "evt_1"
        return
    with pytest.raises(HookRefused):
        rig.channel.verify(body, headers)


@pytest.mark.parametrize("how", ["another secret", "changed", "unsigned", "cut", "binary"])
def test_what_is_forged_is_refused(rig: Rig, how: str) -> None:
    secret = other_secret() if how == "another secret" else ""
    body, headers = rig.signed(b'{"id": "evt_1"}', secret=secret)
    body = {"changed": body + b" ", "cut": body[:-1], "binary": b"\xff\x00"}.get(how, body)
    headers = {} if how == "unsigned" else headers
    with pytest.raises(HookRefused):
        rig.channel.verify(body, headers)


def test_what_the_account_says_has_moved(rig: Rig, charge: Charging) -> None:
    since = datetime.now(UTC) - timedelta(seconds=2)
    asked, key = captured(rig, charge), new_key()
    refund(rig, asked, 400, key)
    moved = {movement.key: movement for movement in rig.channel.movements(since)}
    taken, back = moved[asked.key], moved[key]
    assert (taken.kind, taken.amount_minor, taken.currency) == ("captured", 1000, "EUR")
    assert (back.kind, back.amount_minor, back.fee_minor) == ("refund_succeeded", 400, 0)
    assert taken.fee_minor > 0
    assert taken.at >= since
    assert taken.ref == rig.channel.query(asked.key).ref
    assert back.ref == rig.channel.query_refund(key).ref
