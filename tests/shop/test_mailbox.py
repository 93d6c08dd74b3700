"""The demo's mailbox: pages over the mails that were written, and none of it in production."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from orders.models import Mail, OrderGroup
from orders.services.mail import mail_write
from shop.views.mailbox import MAILS_PER_PAGE
from tests.factories import TESTER
from tests.factories.story import make_group
from tests.orders.post import deliver_mails

pytestmark = pytest.mark.django_db


def write(group: OrderGroup, number: int) -> Mail:
    """One more mail of the same words, as if of another event."""
    [mail] = mail_write(
        event_id=UUID(int=number),
        template="order_placed_unpaid",
        group_id=group.pk,
        object_id=group.pk,
        actor=TESTER,
    )
    return mail


def pages() -> list[str]:
    mail = Mail.objects.earliest("id")
    return [
        reverse("shop:mailbox"),
        reverse("shop:mail", args=[mail.pk]),
        reverse("shop:mail_html", args=[mail.pk]),
    ]


def test_the_mailbox_shows_what_was_written(client: Client) -> None:
    group = make_group()
    deliver_mails()
    listed, shown, html = (client.get(page) for page in pages())

    assert f"order {group.number}" in listed.content.decode()
    assert group.email in listed.content.decode()
    assert "released and nothing is charged" in shown.content.decode()
    assert html.content.decode() == Mail.objects.get().html


def test_an_empty_mailbox_says_so(client: Client) -> None:
    assert "There is no mail yet" in client.get(reverse("shop:mailbox")).content.decode()


def test_a_mails_html_may_do_nothing_but_look(client: Client) -> None:
    make_group()
    deliver_mails()
    _, shown, html = (client.get(page) for page in pages())

    policy = dict(
        part.strip().split(" ", 1) for part in html["Content-Security-Policy"].split(";") if part
    )
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'unsafe-inline'"
    assert policy["frame-ancestors"] == "'self'"
    assert "script-src" not in policy
    assert html["X-Frame-Options"] == "SAMEORIGIN"
    [sandbox] = re.findall(r'<iframe [^>]*sandbox="([^"]*)"', shown.content.decode())
    assert "allow-scripts" not in sandbox
    assert "allow-same-origin" not in sandbox
    assert "unsafe-inline" not in shown["Content-Security-Policy"]


def test_pages_follow_each_other_without_a_gap(client: Client) -> None:
    group = make_group()
    written = [write(group, number).pk for number in range(1, MAILS_PER_PAGE + 3)]
    address, seen = reverse("shop:mailbox"), []
    while address:
        content = client.get(address).content.decode()
        seen += [int(pk) for pk in re.findall(r'/demo/mailbox/(\d+)/"', content)]
        [query] = re.findall(r'<a href="(\?before=\d+)"', content) or [""]
        address = query and reverse("shop:mailbox") + query

    assert seen == written[::-1]


@pytest.mark.parametrize("before", ["x", "-1", "٣", "9" * 30, "%00"])
def test_a_place_that_is_none_begins_at_the_newest(client: Client, before: str) -> None:
    make_group()
    deliver_mails()
    answer = client.get(reverse("shop:mailbox") + f"?before={before}")
    assert answer.status_code == 200
    assert "Placed, waiting" in answer.content.decode()


def test_production_has_no_mailbox(client: Client, settings: Any) -> None:
    make_group()
    deliver_mails()
    addresses = pages()
    settings.DEMO = False
    assert [client.get(address).status_code for address in addresses] == [404] * 3


def test_looking_is_all_that_can_be_done(client: Client) -> None:
    make_group()
    deliver_mails()
    assert [client.post(address).status_code for address in pages()] == [405] * 3
