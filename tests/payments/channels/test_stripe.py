"""What Stripe alone does: its amounts, its forgetting, its parts, its lists."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from core.errors import Invalid
from core.hooks import HookRefused
from payments.channels import stripe as channel_of_stripe
from payments.channels.base import (
    CaptureAt,
    ChannelDown,
    ChannelRefused,
    Charge,
    Notice,
    channel_named,
    endpoint_id_of,
)
from payments.channels.stripe import calls
from payments.channels.stripe.objects import our_amount, their_amount
from tests.payments.channels.conftest import new_key
from tests.payments.channels.rigs import StripeRig, _Handler
from tests.ports import free_ports
from tests.sandboxes.conftest import eventually

OLD = timedelta(hours=26)  # Stripe has forgotten the idempotency key


@pytest.fixture
def rig(stripe: StripeRig) -> StripeRig:
    return stripe


def charge(token: str = "", **members: Any) -> Charge:
    return Charge(
        **{
            "key": new_key(),
            "amount_minor": 1000,
            "currency": "EUR",
            "token": token,
            "return_url": "http://shop.example/return",
            "expires_at": datetime.now(UTC) + timedelta(minutes=30),
            **members,
        }
    )


AMOUNTS = [
    ("EUR", 1000, 1000),
    ("JPY", 500, 500),
    ("KRW", 1, 1),
    ("KWD", 5120, 5120),
    ("ISK", 5, 500),
    ("UGX", 5, 500),
    ("MGA", 700, 7),
]


@pytest.mark.parametrize(("currency", "ours", "theirs"), AMOUNTS)
def test_amounts_are_counted_as_stripe_counts_them(currency: str, ours: int, theirs: int) -> None:
    assert their_amount(ours, currency) == theirs
    assert our_amount(theirs, currency.lower()) == ours


@pytest.mark.parametrize(("currency", "amount_minor"), [("KWD", 5124), ("TND", 1), ("MGA", 750)])
def test_an_amount_that_stripe_can_not_take_is_refused(currency: str, amount_minor: int) -> None:
    with pytest.raises(ChannelRefused) as refusal:
        their_amount(amount_minor, currency)
    assert refusal.value.code == "amount_not_possible"
    assert refusal.value.facts == {"amount_minor": amount_minor, "currency": currency}


@pytest.mark.parametrize(
    ("currency", "amount_minor"), [("JPY", 500), ("KWD", 5120), ("ISK", 5), ("MGA", 700)]
)
def test_money_of_each_kind_goes_there_and_back(
    rig: StripeRig, currency: str, amount_minor: int
) -> None:
    asked = charge("pm_card_visa", currency=currency, amount_minor=amount_minor)
    answer = rig.channel.create(asked)
    assert (answer.status, answer.amount_minor, answer.currency) == (
        "captured",
        amount_minor,
        currency,
    )
    back = rig.channel.refund(key=new_key(), payment_key=asked.key, amount_minor=amount_minor)
    assert (back.amount_minor, back.currency) == (amount_minor, currency)


@pytest.mark.parametrize("token", ["", "pm_card_visa"])
def test_what_stripe_has_forgotten_is_found_and_not_made_again(rig: StripeRig, token: str) -> None:
    asked = charge(token, key=new_key(age=OLD))
    first = rig.channel.create(asked)
    rig.control("forget")
    assert rig.channel.create(asked) == first
    assert len(listed(rig, "checkout/sessions") + listed(rig, "payment_intents")) == 1


def test_a_refund_that_stripe_has_forgotten_is_not_made_again(rig: StripeRig) -> None:
    asked, key = charge("pm_card_visa"), new_key(age=OLD)
    rig.channel.create(asked)
    for _ in range(2):
        rig.channel.refund(key=key, payment_key=asked.key, amount_minor=600)
        rig.control("forget")
    assert len(listed(rig, "refunds")) == 1


def test_a_part_that_stripe_has_forgotten_is_not_taken_again(rig: StripeRig) -> None:
    asked, key = charge("pm_card_visa", capture_later=True), new_key()
    rig.channel.create(asked)
    for _ in range(2):
        rig.channel.capture(key=key, payment_key=asked.key, amount_minor=300, is_last=False)
        rig.control("forget")
    [intent] = listed(rig, "payment_intents")
    assert intent["amount_received"] == 300


def listed(rig: StripeRig, path: str) -> list[dict[str, Any]]:
    answer = rig.http.get(
        f"{rig.provider_url}/v1/{path}", headers={"Authorization": "Bearer sk_test_local"}
    )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return found


@pytest.mark.parametrize("token", ["", "pm_card_visa"])
def test_a_failure_that_stripe_stores_does_not_hide_what_was_made(
    rig: StripeRig, token: str
) -> None:
    asked = charge(token)
    rig.control("fault", name="fail_after_acting")
    first = rig.channel.create(asked)
    assert first.status == ("captured" if token else "requires_action")
    assert rig.channel.create(asked) == first


@pytest.mark.parametrize(
    ("expires_in", "least", "most"),
    [
        (timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=46)),
        (timedelta(hours=2), timedelta(minutes=119), timedelta(hours=2)),
        (timedelta(days=3), timedelta(hours=22), timedelta(hours=24)),
    ],
)
def test_the_hosted_page_ends_with_the_deadline_or_as_near_as_stripe_allows(
    rig: StripeRig, expires_in: timedelta, least: timedelta, most: timedelta
) -> None:
    before = datetime.now(UTC)
    rig.channel.create(charge(expires_at=before + expires_in))
    [session] = listed(rig, "checkout/sessions")
    ends = datetime.fromtimestamp(session["expires_at"], UTC)
    assert least - timedelta(minutes=1) <= ends - before <= most + timedelta(seconds=5)


def test_a_page_is_opened_for_a_key_that_had_to_wait(rig: StripeRig) -> None:
    answer = rig.channel.create(charge(key=new_key(age=timedelta(minutes=20))))
    assert answer.status == "requires_action"


def test_what_was_made_is_found_on_any_page_of_the_list(
    rig: StripeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", 1)
    asked = [charge(token) for token in ("", "pm_card_visa", "", "pm_card_visa")]
    made = [rig.channel.create(each) for each in asked]
    assert [rig.channel.query(each.key) for each in asked] == made


def test_only_the_last_part_is_taken_where_the_card_allows_but_one(rig: StripeRig) -> None:
    asked = charge("pm_card_jcb", capture_later=True)
    rig.channel.create(asked)
    with pytest.raises(ChannelRefused):
        rig.channel.capture(key=new_key(), payment_key=asked.key, amount_minor=300, is_last=False)
    taken = rig.channel.capture(
        key=new_key(), payment_key=asked.key, amount_minor=300, is_last=True
    )
    assert (taken.status, taken.amount_minor) == ("succeeded", 300)


def test_each_part_is_told_and_moves_under_its_own_key(rig: StripeRig) -> None:
    asked, keys = charge(capture_later=True), [new_key(), new_key()]
    rig.pay(rig.channel.create(asked))
    for key, amount_minor in zip(keys, (400, 400), strict=True):
        part = rig.channel.capture(
            key=key, payment_key=asked.key, amount_minor=amount_minor, is_last=key == keys[1]
        )
        [(body, _)] = rig.notices_of("captured", key)
        assert rig.channel.notice(body) == Notice(
            kind="captured",
            key=key,
            payment_key=asked.key,
            ref=part.ref,
            amount_minor=400,
            currency="EUR",
        )
    assert rig.notices_of("authorised", asked.key)
    moved = list(rig.channel.movements(datetime.now(UTC) - timedelta(minutes=1)))
    assert [(each.key, each.amount_minor, each.fee_minor) for each in moved] == [
        (keys[1], 400, 31),
        (keys[0], 400, 31),
    ]
    assert rig.channel.query(asked.key).status == "authorised"


def test_what_others_do_in_the_account_is_nothing_to_us(rig: StripeRig) -> None:
    rig.control("payment_elsewhere", amount=700)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert list(rig.channel.movements(since)) == []
    eventually(lambda: len(rig.inbox.told) == 3)
    told = {json.loads(body)["type"]: rig.channel.notice(body) for body, _ in rig.inbox.told}
    assert "payment_intent.succeeded" in told
    assert set(told.values()) == {None}


def test_a_dispute_moves_money_of_its_payment(rig: StripeRig) -> None:
    asked = charge("pm_card_visa")
    intent = rig.channel.create(asked).ref
    dispute = rig.control("dispute", payment_intent=intent)
    rig.control("dispute_close", dispute=dispute["id"], status="won")
    moved = list(rig.channel.movements(datetime.now(UTC) - timedelta(minutes=1)))
    assert [(each.kind, each.key, each.amount_minor, each.fee_minor) for each in moved] == [
        ("chargeback_won", asked.key, 1000, 0),
        ("chargeback_opened", asked.key, 1000, 2000),
        ("captured", asked.key, 1000, 40),
    ]


def test_an_account_that_settles_in_another_currency_is_refused(rig: StripeRig) -> None:
    rig.channel.create(charge("pm_card_visa"))
    rig.control("convert")
    with pytest.raises(ChannelRefused) as refusal:
        list(rig.channel.movements(datetime.now(UTC) - timedelta(minutes=1)))
    assert refusal.value.code == "settled_in_another_currency"


def test_money_goes_back_to_where_it_came_from_only(rig: StripeRig) -> None:
    asked = charge("pm_card_visa")
    rig.channel.create(asked)
    with pytest.raises(ChannelRefused) as refusal:
        rig.channel.refund(
            key=new_key(), payment_key=asked.key, amount_minor=10, account="DE89370400440532013000"
        )
    assert refusal.value.code == "other_account"


def test_a_key_that_stripe_does_not_take_fails_no_payment(
    rig: StripeRig, settings: Settings
) -> None:
    settings.STRIPE_API_KEY = "sk_live_of_somebody_else"
    calls.client.cache_clear()
    with pytest.raises(ChannelDown):
        rig.channel.create(charge("pm_card_visa"))


class _Stubborn(_Handler):
    """Answers everything with the server's one status and body."""

    server: Any

    def respond(self, body: bytes) -> None:
        self.answer(self.server.status, self.server.body)


@pytest.fixture
def stubborn(rig: StripeRig, settings: Settings) -> Iterator[Callable[[int, bytes], None]]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Stubborn)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_port}"
    calls.client.cache_clear()

    def answer(status: int, body: bytes) -> None:
        server.status, server.body = status, body

    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'),
        (409, b'{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}'),
        (500, b'{"error": {"type": "api_error"}}'),
        (503, b"<html>"),
        (200, b"not json"),
    ],
)
@pytest.mark.parametrize("token", ["", "pm_card_visa"])
def test_what_tells_nothing_of_the_payment_counts_as_down(
    rig: StripeRig,
    stubborn: Callable[[int, bytes], None],
    status: int,
    body: bytes,
    token: str,
) -> None:
    stubborn(status, body)
    with pytest.raises(ChannelDown):
        rig.channel.create(charge(token))
    with pytest.raises(ChannelDown):
        rig.channel.query(new_key())


def test_nobody_there_counts_as_down(rig: StripeRig, settings: Settings) -> None:
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_ports()}"
    calls.client.cache_clear()
    with pytest.raises(ChannelDown):
        rig.channel.create(charge())


def test_the_same_key_with_another_token_is_refused(rig: StripeRig) -> None:
    asked = charge("pm_card_visa")
    rig.channel.create(asked)
    with pytest.raises(ChannelRefused) as refusal:
        rig.channel.create(replace(asked, token="pm_card_jcb"))
    assert refusal.value.code == "key_reused"


def test_without_a_key_there_is_no_such_way_to_pay() -> None:
    assert django_settings.STRIPE_API_KEY == ""
    channel_of_stripe.install()
    with pytest.raises(Invalid):
        channel_named("stripe")
    assert endpoint_id_of("stripe") == ""


def test_parts_are_for_accounts_that_may() -> None:
    assert channel_of_stripe.Stripe().captures_at == (CaptureAt.ONCE,)


def event(type_: str, **members: Any) -> bytes:
    subject = {
        "id": "x_1",
        "object": "refund",
        "currency": "eur",
        "status": "succeeded",
        "amount": 400,
        "metadata": {"key": "1"},
        **members,
    }
    return json.dumps({"id": "evt_1", "type": type_, "data": {"object": subject}}).encode()


SAYS_NOTHING = {
    "a kind that we do not know": event("customer.created"),
    "no kind": event(""),
    "a refund under way": event("refund.created", status="pending"),
    "a refund of somebody else": event("refund.created", metadata={}),
    "an inquiry": event("charge.dispute.created", status="warning_needs_response"),
    "an inquiry that ended": event("charge.dispute.closed", status="warning_closed"),
}


@pytest.mark.parametrize("body", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_an_event_that_says_nothing_to_us_is_none(body: bytes) -> None:
    assert channel_of_stripe.Stripe().notice(body) is None


MALFORMED = {
    "no object": b'{"type": "refund.created", "data": {}}',
    "no data": b'{"type": "refund.created"}',
    "a list": b"[]",
    "no json": b"{",
    "an amount as text": event("refund.created", amount="400"),
    "an unknown status": event("refund.created", status="lost"),
    "an unknown currency": event("refund.created", currency="xxx"),
    "metadata as text": event("refund.created", metadata="key"),
    "an intent without its members": event("payment_intent.succeeded"),
    "a session without its amount": event("checkout.session.expired"),
    "a dispute of nothing": event("charge.dispute.created", status="needs_response"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_an_event_that_is_not_as_stripes_are_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        channel_of_stripe.Stripe().notice(body)
    assert refusal.value.code == "hook.malformed"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": 7}', b"{", b'{"id": "a\\u0000"}'])
def test_a_signed_body_without_an_id_is_refused(rig: StripeRig, body: bytes) -> None:
    with pytest.raises(HookRefused):
        rig.channel.verify(*rig.signed(body))


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=1", "v1=00", "t=x,v1=00", ","])
def test_a_header_that_is_no_signature_is_refused(rig: StripeRig, header: str) -> None:
    with pytest.raises(HookRefused):
        rig.channel.verify(b'{"id": "evt_1"}', {"Stripe-Signature": header})
