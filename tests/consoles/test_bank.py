"""The platform's console of the bank: files taken in, lines assigned, transfers sent."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.models import BankLine, LineMatch, ManualTransfer
from payments.services.bank import line_give_back
from tests.consoles.world import page, sent, staff_client
from tests.factories.bank import FINANCE, SENDERS_IBAN, line, make_awaited, receive, statement
from tests.factories.money import fresh_row

pytestmark = pytest.mark.django_db

IMPORT, EXPORT = "/platform/bank-import/", "/platform/bank-transfers/"


def upload(client: Client, content: bytes) -> tuple[int, str]:
    file = SimpleUploadedFile("statement.csv", content)
    answer = client.post(IMPORT, {"file": file}, follow=True)
    return answer.status_code, answer.content.decode()


def test_a_file_is_taken_in_and_what_is_wrong_is_told() -> None:
    client = staff_client()
    assert client.get(IMPORT).status_code == 200
    content = statement(line(1500, "one"))
    for told in ("1 new lines, 0 known.", "0 new lines, 1 known."):
        status, html = upload(client, content)
        assert status == 200
        assert told in html
    status, html = upload(client, statement(line(0)))
    assert status == 422
    assert "line 2, column 4" in html
    assert client.post(IMPORT).status_code == 422
    assert BankLine.objects.count() == 1


def test_a_line_is_assigned_with_a_suggestion_and_a_reason() -> None:
    group, _ = make_awaited()
    match = receive(1500, "for my order", name="ADA")
    client = staff_client()
    path = page(match, "assign", "platform")
    html = client.get(path).content.decode()
    assert f"{group.number}, 15.00 EUR: same amount, same name" in html
    answer = sent(client, path, number="nothing", reason="by phone")
    assert answer.status_code == 409
    answer = sent(client, path, number=group.number, reason="by phone")
    assert answer.status_code == 302
    assert fresh_row(match).status == "applied"


def test_money_that_left_is_only_dismissed() -> None:
    match = receive(-700, "a fee")
    client = staff_client()
    html = client.get(page(match, site="platform")).content.decode()
    for verb, offered in (("assign", False), ("give_back", False), ("dismiss", True)):
        assert (page(match, verb, "platform") in html) is offered
    sent(client, page(match, "dismiss", "platform"), reason="the bank's fee")
    assert fresh_row(match).status == "dismissed"


def test_what_goes_back_is_listed_masked_and_marked_as_sent() -> None:
    match = receive(700, "for nothing")
    line_give_back(match_id=match.pk, reason="unknown", actor=FINANCE)
    transfer = ManualTransfer.objects.get()
    client = staff_client()
    assert "Transfers to send" in client.get("/platform/").content.decode()
    html = client.get("/platform/payments/manualtransfer/").content.decode()
    assert transfer.reference in html
    assert SENDERS_IBAN not in html
    file = client.get(EXPORT)
    assert SENDERS_IBAN in file.content.decode()
    assert "no-store" in file.headers["Cache-Control"]
    assert client.post(EXPORT).status_code == 405
    sent(client, page(transfer, "send", "platform"))
    assert fresh_row(transfer).status == "sent"
    assert transfer.reference not in client.get(EXPORT).content.decode()
    sent(client, page(transfer, "fail", "platform"), reason="account closed")
    sent(client, page(transfer, "direct", "platform"), holder="Ada", iban="GB29NWBK60161331926819")
    sent(client, page(transfer, "retry", "platform"))
    assert fresh_row(transfer).status == "to_do"
    assert LineMatch.objects.get().status == "returned"
