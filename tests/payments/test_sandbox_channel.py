"""The sandbox channel against the real process: what each answer means to us."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pytest_django import Settings

from core.errors import Invalid
from payments.channels import sandbox
from payments.channels.base import (
    NOT_FOUND,
    Answer,
    ChannelDown,
    ChannelRefused,
    Charge,
    channel_named,
)
from tests.ports import free_ports
from tests.sandboxes.conftest import Receiver, Sandbox, eventually


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def process(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    process = Sandbox("payments.sandbox", tmp_path_factory.mktemp("channel"), receiver)
    yield process
    sandbox._client().close()
    sandbox._client.cache_clear()
    process.stop()


@pytest.fixture(autouse=True)
def _url(process: Sandbox, settings: Settings) -> None:
    settings.SANDBOX_PAYMENT_URL = process.url


channel = channel_named("sandbox")


def charge(token: str = "tok_ok", amount_minor: int = 1000, *, later: bool = False) -> Charge:
    return Charge(
        key=uuid4().hex,
        amount_minor=amount_minor,
        currency="EUR",
        token=token,
        return_url="http://shop.example/return",
        expires_at=datetime.now(UTC) + timedelta(minutes=30),
        capture_later=later,
    )


def captured() -> Charge:
    asked = charge()
    channel.create(asked)
    eventually(lambda: channel.query(asked.key).status == "captured")
    return asked


def test_a_charge_is_created_once_per_key() -> None:
    asked = charge("tok_timeout")
    first, again = channel.create(asked), channel.create(asked)

    assert (first.status, first.amount_minor, first.currency) == ("processing", 1000, "EUR")
    assert first == again
    assert first.ref


def test_another_amount_under_a_known_key_is_refused() -> None:
    asked = charge("tok_timeout")
    channel.create(asked)
    with pytest.raises(ChannelRefused) as refusal:
        channel.create(replace(asked, amount_minor=1001))
    assert refusal.value.code == "key_reused"


def test_an_answer_says_where_the_shopper_has_to_go() -> None:
    answer = channel.create(charge(""))
    assert answer.status == "requires_action"
    assert answer.action_url.startswith("http")


def test_a_transfer_is_under_way_until_its_page_has_made_it(process: Sandbox) -> None:
    transfer, asked = channel_named("sandbox_transfer"), charge("")
    answer = transfer.create(asked)
    assert (answer.status, transfer.query(asked.key).status) == ("processing", "processing")
    process.http.post(answer.action_url, data={"button": "pay"})
    assert transfer.query(asked.key).status == "captured"


def test_a_transfer_can_be_closed_while_it_is_under_way() -> None:
    transfer, asked = channel_named("sandbox_transfer"), charge("")
    transfer.create(asked)
    assert transfer.close(asked.key).status == "closed"


def test_a_failure_is_named() -> None:
    answer = channel.create(charge("tok_insufficient"))
    assert (answer.status, answer.failure_code) == ("failed", "insufficient_funds")


def test_closing_is_answered_closed_and_repeated_quietly() -> None:
    asked = charge("tok_timeout")
    channel.create(asked)
    assert [channel.close(asked.key).status for _ in range(2)] == ["closed", "closed"]


def test_closing_what_was_captured_is_answered_with_the_capture() -> None:
    answer = channel.close(captured().key)
    assert (answer.status, answer.amount_minor) == ("captured", 1000)


def promised(token: str = "tok_ok") -> Charge:
    asked = charge(token, later=True)
    channel.create(asked)
    eventually(lambda: channel.query(asked.key).status == "authorised")
    return asked


def take(asked: Charge, amount_minor: int, *, key: str = "", is_last: bool = False) -> Answer:
    return channel.capture(
        key=key or uuid4().hex, payment_key=asked.key, amount_minor=amount_minor, is_last=is_last
    )


def test_promised_money_is_taken_in_parts_once_per_key() -> None:
    asked, key = promised(), uuid4().hex
    first, again = take(asked, 400, key=key), take(asked, 400, key=key)
    assert (first.status, first.amount_minor, first.currency) == ("succeeded", 400, "EUR")
    assert first == again == channel.query_capture(key=key, payment_key=asked.key)
    take(asked, 600)
    assert channel.query(asked.key).status == "authorised"  # its parts tell what was taken
    assert channel.query(asked.key).amount_minor == 1000


def test_what_is_left_of_a_promise_is_let_go() -> None:
    asked = promised()
    take(asked, 400)
    assert channel.close(asked.key).status == "closed"
    with pytest.raises(ChannelRefused) as refusal:
        take(asked, 1)
    assert refusal.value.code == "not_authorised"


def test_more_than_is_promised_is_not_taken() -> None:
    asked = promised()
    with pytest.raises(ChannelRefused) as refusal:
        take(asked, 1001)
    assert refusal.value.code == "capture_exceeds_authorised"


def test_a_capture_that_fails_is_told_and_one_that_nobody_knows_is_refused() -> None:
    asked = promised("tok_capture_fails")
    assert take(asked, 400).status == "failed"
    with pytest.raises(ChannelRefused) as refusal:
        channel.query_capture(key="none", payment_key=asked.key)
    assert refusal.value.code == NOT_FOUND


def test_a_refund_is_made_once_per_key_and_can_be_asked_after() -> None:
    asked, key = captured(), uuid4().hex
    first = channel.refund(key=key, payment_key=asked.key, amount_minor=400)
    again = channel.refund(key=key, payment_key=asked.key, amount_minor=400)

    assert (first.status, first.amount_minor, first.currency) == ("succeeded", 400, "EUR")
    assert first == again == channel.query_refund(key)


def test_more_than_was_captured_is_refused() -> None:
    with pytest.raises(ChannelRefused) as refusal:
        channel.refund(key=uuid4().hex, payment_key=captured().key, amount_minor=1001)
    assert refusal.value.code == "refund_exceeds_captured"


@pytest.mark.parametrize("ask", [channel.query, channel.close, channel.query_refund])
def test_an_unknown_key_is_refused_as_not_found(ask: Callable[[str], object]) -> None:
    with pytest.raises(ChannelRefused) as refusal:
        ask("unknown")
    assert refusal.value.code == NOT_FOUND


def test_a_channel_that_nobody_answers_for_is_down(settings: Settings) -> None:
    settings.SANDBOX_PAYMENT_URL = f"http://127.0.0.1:{free_ports()}"
    with pytest.raises(ChannelDown):
        channel.query("key")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_channel_that_cannot_answer_now_is_down(
    stubborn: Callable[[int], None], status: int
) -> None:
    stubborn(status)
    with pytest.raises(ChannelDown):
        channel.query("key")


def test_what_is_no_answer_of_the_sandbox_counts_as_down(
    settings: Settings, receiver: Receiver
) -> None:
    settings.SANDBOX_PAYMENT_URL = receiver.url.removesuffix("/hooks/sandbox/1")
    with pytest.raises(ChannelDown):
        channel.query("key")


def test_an_unknown_channel_is_refused_by_name() -> None:
    with pytest.raises(Invalid):
        channel_named("barter")
