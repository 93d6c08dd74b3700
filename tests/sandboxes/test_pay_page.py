"""The hosted pay page, as a browser without JavaScript sees it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from .conftest import eventually, new_payment


class Buttons(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "button":
            self.values.append(dict(attributes)["value"])


@pytest.fixture
def opened(payments):
    return payments.post("/payments", **new_payment())


def look(sandbox, payment):
    return sandbox.http.get(f"/pay/{payment['ref']}")


def press(sandbox, payment, button):
    return sandbox.http.post(f"/pay/{payment['ref']}", data={"button": button})


def status(payments, payment):
    return payments.get(f"/payments/{payment['key']}")["status"]


def test_looking_changes_nothing(payments, opened):
    for _ in range(3):
        page = look(payments, opened)
        assert page.status_code == 200
        assert Buttons(page.text).values == ["pay", "refuse"]
        assert "EUR 95.00" in page.text
        assert "<script" not in page.text
    assert payments.get(f"/payments/{opened['key']}") == opened


def test_its_style_is_a_file_and_nothing_else_may_load(payments, opened):
    page = look(payments, opened)
    assert "default-src 'none'; style-src 'self'" in page.headers["Content-Security-Policy"]
    assert "style=" not in page.text
    assert '<link rel="stylesheet" href="/pay.css">' in page.text
    assert payments.http.get("/pay.css").headers["Content-Type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (123456789, "EUR", "EUR 1,234,567.89"),
        (5, "USD", "USD 0.05"),
        (1500, "JPY", "JPY 1,500"),
        (1500, "KWD", "KWD 1.500"),
        (15000, "CLF", "CLF 1.5000"),
    ],
)
def test_an_amount_is_written_with_its_currencys_decimals(payments, amount_minor, currency, text):
    body = new_payment(amount_minor=amount_minor, currency=currency)
    assert text in look(payments, payments.post("/payments", **body)).text


def test_pay_captures_and_leads_back_to_the_shop(payments, receiver, opened):
    for _ in range(2):
        answer = press(payments, opened, "pay")
        assert answer.status_code == 303
        assert answer.headers["Location"] == "http://shop.example/orders/1"
    receiver.wait(opened["key"])
    assert receiver.kinds(opened["key"]) == ["payment.captured"]
    assert status(payments, opened) == "captured"
    assert "This payment is made." in look(payments, opened).text


def test_pay_of_a_manual_capture_authorises(payments):
    payment = payments.post("/payments", **new_payment(capture="manual"))
    assert press(payments, payment, "pay").status_code == 303
    assert status(payments, payment) == "authorised"


def test_refuse_fails_and_leads_back_to_the_shop(payments, receiver, opened):
    assert press(payments, opened, "refuse").headers["Location"] == "http://shop.example/orders/1"
    receiver.wait(opened["key"])
    assert receiver.kinds(opened["key"]) == ["payment.failed"]
    press(payments, opened, "pay")
    assert status(payments, opened) == "failed"
    assert payments.get(f"/payments/{opened['key']}")["failure"] == "refused"


@pytest.mark.parametrize(
    ("button", "end", "failure"),
    [("confirm", "captured", None), ("fail", "failed", "challenge_failed")],
)
def test_3d_secure_asks_a_second_time(payments, receiver, button, end, failure):
    payment = payments.post("/payments", **new_payment("tok_3ds"))
    assert payment["status"] == "requires_action"
    assert Buttons(look(payments, payment).text).values == ["pay", "refuse"]
    press(payments, payment, button)
    step = press(payments, payment, "pay")
    assert (step.status_code, step.headers["Location"]) == (303, f"/pay/{payment['ref']}")
    assert status(payments, payment) == "requires_action"
    page = look(payments, payment)
    assert "3-D Secure" in page.text
    assert Buttons(page.text).values == ["confirm", "fail"]
    assert press(payments, payment, button).headers["Location"] == "http://shop.example/orders/1"
    ended = payments.get(f"/payments/{payment['key']}")
    assert (ended["status"], ended["failure"]) == (end, failure)
    receiver.wait(payment["key"])


def test_it_is_too_late_after_the_deadline(payments):
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    payment = payments.post("/payments", **new_payment(expires_at=soon.isoformat()))
    eventually(lambda: datetime.now(UTC) > soon)
    answer = press(payments, payment, "pay")
    assert answer.status_code == 409
    assert "too late" in answer.text
    assert Buttons(answer.text).values == []
    eventually(lambda: status(payments, payment) == "closed")


def test_it_is_too_late_even_before_the_close_has_come(own_payments):
    payment = own_payments.post("/payments", **new_payment())
    own_payments.kill()
    with closing(sqlite3.connect(own_payments.book)) as book:
        book.execute("UPDATE payment SET expires_at = '2026-01-01T00:00:00.000Z'")
        book.commit()
    own_payments.start()
    page = look(own_payments, payment)
    assert "too late" in page.text
    assert Buttons(page.text).values == []
    assert press(own_payments, payment, "pay").status_code == 409
    assert status(own_payments, payment) == "requires_action"


def test_a_closed_payment_says_so(payments, opened):
    payments.post(f"/payments/{opened['key']}/close")
    assert press(payments, opened, "pay").status_code == 409
    page = look(payments, opened)
    assert "closed" in page.text
    assert Buttons(page.text).values == []
    assert status(payments, opened) == "closed"


@pytest.mark.parametrize("button", ["", "confirm", "unknown"])
def test_a_button_that_is_not_there_changes_nothing(payments, opened, button):
    assert press(payments, opened, button).headers["Location"] == f"/pay/{opened['ref']}"
    assert status(payments, opened) == "requires_action"


def test_an_unknown_payment_has_a_page_that_says_so(payments):
    page = payments.http.get("/pay/unknown")
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "no such payment" in page.text


def test_the_shops_address_cannot_write_into_the_page(payments):
    address = "http://shop.example/?\"><script>alert('1')</script>"
    payment = payments.post("/payments", **new_payment(return_url=address))
    assert "<script" not in look(payments, payment).text
    assert press(payments, payment, "pay").headers["Location"] == address
