"""Paying by hand, as the buyer sees it: where to, what is missing, and where it goes back."""

import pytest
from django.core import mail as post_office
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from pytest_django import Settings

from orders.links import link_path
from orders.models import OrderGroup
from payments.models import Attempt, ManualTransfer
from payments.references import reference_of, spaced
from tests.factories.bank import OUR_IBAN, receive, send, settle_channel
from tests.factories.story import make_group
from tests.payments.test_manual_transfer import OTHER_IBAN, make_refund

pytestmark = pytest.mark.django_db


def look(group: OrderGroup) -> str:
    return Client().get(f"{link_path(group)}pay/").content.decode()


def choose(group: OrderGroup) -> Attempt:
    answer = Client().post(f"{link_path(group)}pay/", {"method": "by_hand"})
    assert answer.status_code == 303
    settle_channel()
    return Attempt.objects.latest("pk")


def test_the_page_and_a_mail_say_where_to_send_the_money() -> None:
    group = make_group()
    attempt = choose(group)
    assert attempt.channel == "bank_transfer"
    told = ("15.00 EUR", "Quayside Demo", spaced(OUR_IBAN), spaced(reference_of(attempt.pk)))
    html = look(group)
    assert not [words for words in told if words not in html]
    [mail] = [each for each in post_office.outbox if "Send us the money" in each.subject]
    assert isinstance(mail, EmailMultiAlternatives)
    for part in (str(mail.body), str(mail.alternatives[0][0])):
        assert not [words for words in told if words not in part]
    assert "Refresh" not in Client().get(f"{link_path(group)}pay/").headers


def test_a_part_is_told_with_what_is_missing() -> None:
    group = make_group()
    attempt = choose(group)
    receive(400, attempt.channel_ref)
    settle_channel()
    html = look(group)
    assert "4.00 EUR has arrived. 11.00 EUR is still missing." in html
    [mail] = [each for each in post_office.outbox if "still missing" in each.subject]
    assert "4.00 EUR" in mail.body
    assert "11.00 EUR" in mail.body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BANK_TRANSFER_HOLDER", ""),
        ("BANK_TRANSFER_IBAN", "DE1"),
        ("BANK_TRANSFER_CURRENCIES", ["USD"]),
    ],
)
def test_without_an_account_for_it_nobody_is_offered_to(
    name: str, value: object, settings: Settings
) -> None:
    setattr(settings, name, value)
    group = make_group()
    assert "by_hand" not in look(group)
    answer = Client().post(f"{link_path(group)}pay/", {"method": "by_hand"})
    assert answer.status_code == 422
    assert not Attempt.objects.exists()


def test_who_asks_for_it_by_another_way_is_refused_by_the_channel(settings: Settings) -> None:
    from tests.factories.story import start_payment

    settings.BANK_TRANSFER_HOLDER = ""
    attempt = start_payment(make_group(), channel="bank_transfer")
    settle_channel()
    attempt = Attempt.objects.get(pk=attempt.pk)
    assert (attempt.status, attempt.failure_code) == ("failed", "not_offered")


def test_a_buyer_says_where_the_refund_goes() -> None:
    transfer = make_refund(iban="")
    group = OrderGroup.objects.get()
    path = f"{link_path(group)}refund-account/{transfer.pk}/"
    client = Client()
    assert path in client.get(link_path(group)).content.decode()
    assert "5.00 EUR" in client.get(path).content.decode()
    answer = client.post(path, {"holder": "Ada", "iban": "DE12"})
    assert answer.status_code == 422
    assert "#id_iban" in answer.content.decode()
    answer = client.post(path, {"holder": "Ada", "iban": OTHER_IBAN})
    assert (answer.status_code, answer.headers["Location"]) == (303, link_path(group))
    assert ManualTransfer.objects.get().iban == OTHER_IBAN
    assert client.get(path).status_code == 404
    assert OTHER_IBAN not in client.get(link_path(group)).content.decode()
    send(transfer)


def test_nobody_names_an_account_for_anothers_refund() -> None:
    transfer = make_refund(iban="")
    other = make_group()
    path = f"{link_path(other)}refund-account/{transfer.pk}/"
    assert Client().post(path, {"holder": "Eve", "iban": OTHER_IBAN}).status_code == 404
    assert ManualTransfer.objects.get().iban == ""
