"""Money that goes back, and the list of what moved."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from .conftest import new_payment


@pytest.fixture
def captured(payments, receiver):
    payment = payments.post("/payments", **new_payment("tok_ok"))
    receiver.wait(payment["key"])
    return payment


def new_refund(payment, amount_minor, key=None):
    return {"key": key or uuid4().hex, "payment_key": payment["key"], "amount_minor": amount_minor}


def test_a_refund_succeeds_and_is_told(payments, receiver, captured):
    body = new_refund(captured, 4000)
    answer = payments.http.post("/refunds", json=body)
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
    (notification,) = receiver.wait(body["key"])
    assert notification["kind"] == "refund.succeeded"
    assert (notification["amount_minor"], notification["currency"]) == (4000, "EUR")
    assert notification["ref"] == answer.json()["ref"]
    assert payments.get(f"/refunds/{body['key']}") == answer.json()
    payment = payments.get(f"/payments/{captured['key']}")
    assert (payment["captured_minor"], payment["refunded_minor"]) == (9500, 4000)


def test_the_same_key_gets_the_same_refund(payments, receiver, captured):
    body = new_refund(captured, 9500)
    first = payments.http.post("/refunds", json=body)
    second = payments.http.post("/refunds", json=body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    receiver.wait(body["key"])


def test_another_amount_under_a_key_is_refused(payments, captured):
    payments.post("/refunds", **(body := new_refund(captured, 100)))
    code, refusal = payments.refused("/refunds", **(body | {"amount_minor": 200}))
    assert (code, refusal["refund"]["amount_minor"]) == (409, 100)


def test_no_more_is_refunded_than_was_captured(payments, captured):
    payments.post("/refunds", **new_refund(captured, 9000))
    code, refusal = payments.refused("/refunds", **new_refund(captured, 501))
    assert (code, refusal["error"]) == (422, "refund_exceeds_captured")
    assert refusal["refundable_minor"] == 500
    assert payments.post("/refunds", **new_refund(captured, 500))["status"] == "succeeded"


def test_of_twenty_refunds_of_the_larger_part_one_succeeds(payments, captured):
    def refund(_: int) -> int:
        body = new_refund(captured, 5700)
        return httpx.post(f"{payments.url}/refunds", json=body, trust_env=False).status_code

    with ThreadPoolExecutor(20) as threads:
        assert sorted(threads.map(refund, range(20))) == [201, *([422] * 19)]


def test_what_was_not_captured_cannot_be_refunded(payments):
    payment = payments.post("/payments", **new_payment("tok_timeout"))
    assert payments.refused("/refunds", **new_refund(payment, 1))[0] == 422


def test_a_refund_of_an_unknown_payment_is_not_found(payments):
    assert payments.refused("/refunds", **new_refund({"key": "unknown"}, 1))[0] == 404


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 0}, {"amount_minor": -1}, {"payment_key": None}, {"key": ""}]
)
def test_bad_input_is_refused_by_name(payments, captured, wrong):
    code, refusal = payments.refused("/refunds", **(new_refund(captured, 1) | wrong))
    assert code == 400
    assert refusal["message"].startswith(f"{next(iter(wrong))} must be ")


def test_a_failed_refund_is_told_and_takes_nothing(payments, receiver):
    payment = payments.post("/payments", **new_payment("tok_refund_fails"))
    receiver.wait(payment["key"])
    for _ in range(2):
        body = new_refund(payment, 9500)
        assert payments.post("/refunds", **body)["status"] == "failed"
        receiver.wait(body["key"])
        assert receiver.kinds(body["key"]) == ["refund.failed"]
    assert payments.get(f"/payments/{payment['key']}")["refunded_minor"] == 0


def test_transactions_list_what_moved_in_order_page_by_page(own_payments, own_receiver):
    for token in ("tok_ok", "tok_refused", "tok_ok", "tok_refund_fails"):
        payment = own_payments.post("/payments", **new_payment(token))
        own_receiver.wait(payment["key"])
        if token != "tok_refused":
            own_payments.post("/refunds", **new_refund(payment, 500))
    page = own_payments.get("/transactions?limit=2")
    listed = page["data"]
    while cursor := page["next_cursor"]:
        page = own_payments.get(f"/transactions?limit=2&cursor={cursor}")
        listed += page["data"]
    kinds = [(each["kind"], each["amount_minor"]) for each in listed]
    assert kinds == [*(2 * [("capture", 9500), ("refund", 500)]), ("capture", 9500)]
    assert [each["fee_minor"] for each in listed] == [158, 0, 158, 0, 158]
    assert set(listed[0]) == {
        *("id", "kind", "key", "ref", "amount_minor", "fee_minor", "currency", "at")
    }
    assert len({each["id"] for each in listed}) == 5
    since = own_payments.http.get("/transactions", params={"since": listed[2]["at"]})
    assert listed[2] in since.json()["data"]
    assert listed[0] not in since.json()["data"]


@pytest.mark.parametrize("query", ["since=yesterday", "limit=0", "limit=x", "cursor=-1"])
def test_a_bad_page_is_refused_by_name(payments, query):
    answer = payments.http.get(f"/transactions?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.split("=")[0])
