"""Money that was only authorised: taken part by part, let go, lapsed."""

from typing import Any
from uuid import uuid4

import pytest

from .conftest import Receiver, Sandbox, eventually, new_payment


def authorised(sandbox: Sandbox, token: str = "tok_ok", **members: Any) -> str:
    """The key of a payment of 95.00 that waits to be captured."""
    key: str = sandbox.post("/payments", **new_payment(token, capture="manual", **members))["key"]
    eventually(lambda: sandbox.get(f"/payments/{key}")["status"] == "authorised")
    return key


def part(amount_minor: int, **members: Any) -> dict[str, Any]:
    return {"key": uuid4().hex, "amount_minor": amount_minor, **members}


def movements(sandbox: Sandbox, *keys: str) -> list[tuple[str, int]]:
    rows = sandbox.get("/transactions?limit=1000")["data"]
    return [(row["key"], row["amount_minor"]) for row in rows if row["key"] in keys]


def test_parts_are_taken_one_by_one_and_each_is_told(payments: Sandbox, receiver: Receiver):
    key = authorised(payments)
    first, second = part(3000), part(6500)
    answer = payments.post(f"/payments/{key}/captures", **first)
    assert (answer["status"], answer["amount_minor"], answer["payment_key"]) == (
        "succeeded",
        3000,
        key,
    )
    payment = payments.get(f"/payments/{key}")
    assert (payment["status"], payment["captured_minor"]) == ("authorised", 3000)

    payments.post(f"/payments/{key}/captures", **second)
    payment = payments.get(f"/payments/{key}")
    assert (payment["status"], payment["captured_minor"]) == ("captured", 9500)
    [told] = receiver.wait(second["key"])
    assert (told["kind"], told["payment_key"], told["amount_minor"]) == (
        "capture.succeeded",
        key,
        6500,
    )
    assert receiver.kinds(key) == ["payment.authorised"]
    assert movements(payments, key, first["key"], second["key"]) == [
        (first["key"], 3000),
        (second["key"], 6500),
    ]


def test_the_same_key_gets_the_same_capture(payments: Sandbox):
    key, asked = authorised(payments), part(3000)
    first = payments.http.post(f"/payments/{key}/captures", json=asked)
    again = payments.http.post(f"/payments/{key}/captures", json=asked)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert payments.get(f"/payments/{key}/captures?key={asked['key']}") == first.json()
    assert payments.get(f"/payments/{key}")["captured_minor"] == 3000
    code, refused = payments.refused(f"/payments/{key}/captures", **{**asked, "amount_minor": 1})
    assert (code, refused["error"]) == (409, "key_reused")


def test_more_than_was_authorised_is_refused(payments: Sandbox):
    key = authorised(payments)
    payments.post(f"/payments/{key}/captures", **part(9000))
    code, refused = payments.refused(f"/payments/{key}/captures", **part(501))
    assert (code, refused["error"], refused["capturable_minor"]) == (
        422,
        "capture_exceeds_authorised",
        500,
    )


def test_the_last_part_lets_the_rest_go(payments: Sandbox):
    key = authorised(payments)
    payments.post(f"/payments/{key}/captures", **part(3000, is_last=True))
    code, refused = payments.refused(f"/payments/{key}/captures", **part(1))
    assert (code, refused["error"]) == (409, "not_authorised")
    assert payments.get(f"/payments/{key}")["captured_minor"] == 3000


def test_closing_lets_the_rest_go_and_keeps_what_was_taken(payments: Sandbox, receiver: Receiver):
    key = authorised(payments)
    payments.post(f"/payments/{key}/captures", **part(3000))
    closed = payments.post(f"/payments/{key}/close")
    assert (closed["status"], closed["captured_minor"]) == ("closed", 3000)
    receiver.wait(key, 2)
    assert receiver.kinds(key) == ["payment.authorised", "payment.closed"]


def test_no_more_goes_back_than_was_taken(payments: Sandbox):
    key = authorised(payments)
    payments.post(f"/payments/{key}/captures", **part(3000))
    payments.post(f"/payments/{key}/close")
    code, refused = payments.refused(
        "/refunds", key=uuid4().hex, payment_key=key, amount_minor=3001
    )
    assert (code, refused["refundable_minor"]) == (422, 3000)
    back = payments.post("/refunds", key=uuid4().hex, payment_key=key, amount_minor=3000)
    assert back["status"] == "succeeded"


@pytest.mark.parametrize(
    ("token", "statuses"),
    [
        ("tok_capture_fails", ["failed", "failed"]),
        ("tok_capture_fails_once", ["failed", "succeeded"]),
    ],
)
def test_a_capture_may_fail_and_moves_nothing(
    payments: Sandbox, receiver: Receiver, token: str, statuses: list[str]
):
    key = authorised(payments, token)
    tries = [part(3000) for _ in statuses]
    answers = [payments.post(f"/payments/{key}/captures", **asked) for asked in tries]
    assert [answer["status"] for answer in answers] == statuses
    assert receiver.wait(tries[0]["key"])[0]["kind"] == "capture.failed"
    taken = statuses.count("succeeded")
    assert payments.get(f"/payments/{key}")["captured_minor"] == 3000 * taken
    assert len(movements(payments, *(asked["key"] for asked in tries))) == taken


def test_an_authorisation_lapses_by_itself_or_when_told(payments: Sandbox, receiver: Receiver):
    by_itself, told = authorised(payments, "tok_lapses"), authorised(payments)
    payments.post("/control/lapse", key=told)
    for key in (by_itself, told):
        eventually(lambda key=key: payments.get(f"/payments/{key}")["status"] == "closed")
        receiver.wait(key, 2)
        assert receiver.kinds(key) == ["payment.authorised", "payment.closed"]
        assert payments.refused(f"/payments/{key}/captures", **part(1))[0] == 409
    code, refused = payments.refused("/control/lapse", key=told)
    assert (code, refused["error"]) == (409, "not_authorised")


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 0}, {"amount_minor": True}, {"is_last": "yes"}, {"key": ""}]
)
def test_a_capture_that_can_t_be_read_changes_nothing(payments: Sandbox, wrong: dict[str, Any]):
    key = authorised(payments)
    code, refused = payments.refused(f"/payments/{key}/captures", **{**part(1), **wrong})
    assert (code, refused["error"]) == (400, "bad_request")
    assert payments.get(f"/payments/{key}")["captured_minor"] == 0


def test_a_capture_of_nothing_is_not_found(payments: Sandbox):
    assert payments.refused("/payments/none/captures", **part(1))[0] == 404
    key = authorised(payments)
    assert payments.http.get(f"/payments/{key}/captures?key=none").status_code == 404


def test_what_was_taken_survives_a_kill(own_payments: Sandbox):
    key, asked = authorised(own_payments), part(3000)
    own_payments.post(f"/payments/{key}/captures", **asked)
    own_payments.kill()
    own_payments.start()
    assert own_payments.get(f"/payments/{key}")["captured_minor"] == 3000
    again = own_payments.http.post(f"/payments/{key}/captures", json=asked)
    assert again.status_code == 200
    assert movements(own_payments, asked["key"]) == [(asked["key"], 3000)]
