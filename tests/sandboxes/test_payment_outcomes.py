"""What each token makes of a payment, and what can still be done to it."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import eventually, new_payment


def opened(payments, token="", **members):
    return payments.post("/payments", **new_payment(token, **members))


def status(payments, payment):
    return payments.get(f"/payments/{payment['key']}")["status"]


def test_an_accepted_payment_is_under_way_first_and_captured_right_after(payments, receiver):
    payment = opened(payments, "tok_ok", amount_minor=1234, currency="JPY")
    assert payment["status"] == "processing"
    assert payment["action_url"] is None
    (notification,) = receiver.wait(payment["key"])
    assert notification["kind"] == "payment.captured"
    assert notification["ref"] == payment["ref"]
    assert (notification["amount_minor"], notification["currency"]) == (1234, "JPY")
    assert datetime.fromisoformat(notification["at"]).tzinfo is not None
    assert set(notification) == {"id", "kind", "key", "ref", "amount_minor", "currency", "at"}
    captured = payments.get(f"/payments/{payment['key']}")
    assert captured["status"] == "captured"
    assert (captured["captured_minor"], captured["refunded_minor"]) == (1234, 0)


@pytest.mark.parametrize(
    ("token", "failure"), [("tok_refused", "refused"), ("tok_insufficient", "insufficient_funds")]
)
def test_a_refused_payment_fails_at_once_and_says_why(payments, receiver, token, failure):
    payment = opened(payments, token)
    assert (payment["status"], payment["failure"]) == ("failed", failure)
    receiver.wait(payment["key"])
    assert receiver.kinds(payment["key"]) == ["payment.failed"]


def test_a_slow_payment_is_captured_after_its_time(payments, receiver):
    started = datetime.now(UTC)
    payment = opened(payments, "tok_slow")
    assert payment["status"] == "processing"
    (notification,) = receiver.wait(payment["key"])
    assert datetime.fromisoformat(notification["at"]) - started >= timedelta(seconds=0.499)
    assert status(payments, payment) == "captured"


def test_a_slow_payment_that_was_closed_is_never_captured(own_payments, own_receiver):
    payment = opened(own_payments, "tok_slow")
    own_payments.post(f"/payments/{payment['key']}/close")
    released = own_payments.post("/control/release", key=payment["key"])
    assert released["status"] == "closed"
    own_receiver.wait(payment["key"])
    assert own_receiver.kinds(payment["key"]) == ["payment.closed"]


def test_a_release_captures_a_slow_payment_at_once(own_payments, own_receiver):
    payment = opened(own_payments, "tok_slow")
    released = own_payments.post("/control/release", key=payment["key"])
    assert released["status"] == "captured"
    own_receiver.wait(payment["key"])


def test_what_never_answers_stays_under_way_until_it_is_closed(payments, receiver):
    payment = opened(payments, "tok_timeout")
    assert payments.post("/control/release", key=payment["key"])["status"] == "processing"
    assert payments.post(f"/payments/{payment['key']}/close")["status"] == "closed"
    receiver.wait(payment["key"])
    assert receiver.kinds(payment["key"]) == ["payment.closed"]


def test_a_late_payment_is_captured_after_its_close(payments, receiver):
    payment = opened(payments, "tok_late_45m")
    assert payment["status"] == "processing"
    assert payments.post(f"/payments/{payment['key']}/close")["status"] == "closed"
    assert payments.post("/control/release", key=payment["key"])["status"] == "captured"
    receiver.wait(payment["key"], 2)
    assert receiver.kinds(payment["key"]) == ["payment.closed", "payment.captured"]
    assert payments.post("/control/release", key=payment["key"])["status"] == "captured"
    receiver.wait(payment["key"], 2)


def test_a_late_payment_is_captured_by_itself_45_minutes_after_it_was_opened(
    own_payments, own_receiver
):
    payment = opened(own_payments, "tok_late_45m")
    own_payments.post(f"/payments/{payment['key']}/close")
    own_payments.kill()
    with closing(sqlite3.connect(own_payments.book)) as book:
        (due_at,) = book.execute("SELECT due_at FROM payment").fetchone()
        minutes = (datetime.fromisoformat(due_at) - datetime.now(UTC)) / timedelta(minutes=1)
        assert 44 < minutes <= 45
        book.execute("UPDATE payment SET due_at = '2026-01-01T00:00:00.000Z'")
        book.commit()
    own_payments.start()
    eventually(lambda: "payment.captured" in own_receiver.kinds(payment["key"]))
    assert status(own_payments, payment) == "captured"


def test_a_doubled_notification_comes_twice_under_one_id(payments, receiver):
    payment = opened(payments, "tok_double_webhook")
    first, second = receiver.wait(payment["key"], 2)
    assert first == second
    assert first["kind"] == "payment.captured"


def test_a_manual_capture_rests_authorised_and_a_repeated_capture_is_quiet(payments, receiver):
    payment = opened(payments, "tok_ok", capture="manual")
    receiver.wait(payment["key"])
    assert status(payments, payment) == "authorised"
    for _ in range(2):
        captured = payments.post(f"/payments/{payment['key']}/capture")
        assert (captured["status"], captured["captured_minor"]) == ("captured", 9500)
    receiver.wait(payment["key"], 2)
    assert receiver.kinds(payment["key"]) == ["payment.authorised", "payment.captured"]


@pytest.mark.parametrize("token", ["", "tok_refused", "tok_timeout"])
def test_what_is_not_authorised_cannot_be_captured(payments, token):
    payment = opened(payments, token)
    code, refusal = payments.refused(f"/payments/{payment['key']}/capture")
    assert (code, refusal["error"]) == (409, "not_authorised")
    assert status(payments, payment) == payment["status"]


def test_an_authorised_payment_can_be_closed_and_not_captured_after(payments, receiver):
    payment = opened(payments, "tok_ok", capture="manual")
    receiver.wait(payment["key"])
    payments.post(f"/payments/{payment['key']}/close")
    code, refusal = payments.refused(f"/payments/{payment['key']}/capture")
    assert (code, refusal["payment"]["status"]) == (409, "closed")


def test_a_repeated_close_is_quiet(payments, receiver):
    payment = opened(payments)
    for _ in range(3):
        closed = payments.post(f"/payments/{payment['key']}/close")
        assert (closed["status"], closed["action_url"]) == ("closed", None)
    receiver.wait(payment["key"])


def test_who_closes_a_captured_payment_learns_of_the_success(payments, receiver):
    payment = opened(payments, "tok_ok")
    receiver.wait(payment["key"])
    code, refusal = payments.refused(f"/payments/{payment['key']}/close")
    assert (code, refusal["error"]) == (409, "already_captured")
    assert refusal["payment"] == payments.get(f"/payments/{payment['key']}")
    assert refusal["payment"]["status"] == "captured"


def test_what_nobody_pays_in_time_is_closed(payments, receiver):
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    payment = opened(payments, expires_at=soon.isoformat())
    assert payment["status"] == "requires_action"
    (notification,) = receiver.wait(payment["key"])
    assert notification["kind"] == "payment.closed"
    assert datetime.fromisoformat(notification["at"]) >= soon - timedelta(milliseconds=1)
    assert status(payments, payment) == "closed"


def test_a_deadline_at_the_end_of_time_stops_nothing(own_payments, own_receiver):
    opened(own_payments, expires_at="9999-12-31T23:59:59Z")
    own_receiver.wait(opened(own_payments, "tok_ok")["key"])


def test_a_release_is_no_deadline(payments):
    payment = opened(payments)
    assert payments.post("/control/release", key=payment["key"])["status"] == "requires_action"


def test_a_release_sends_at_once_what_waits_for_its_next_try(own_payments, own_receiver):
    own_receiver.refusals = 6
    payment = opened(own_payments, "tok_refused")
    started = time.monotonic()

    def taken_after_release():
        own_payments.post("/control/release", key=payment["key"])
        return own_receiver.of(payment["key"])

    eventually(taken_after_release)
    # Of their own accord the seven tries would take 12.6 seconds.
    assert time.monotonic() - started < 12
