"""Vouchers in the consoles: a page that makes one, and what is done to it later."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import MerchantMember
from core import clock
from orders.models import Voucher
from tests.consoles.world import form_of, member_client, page, sent, staff_client
from tests.factories.story import make_delivering_merchant, make_stocked_sku
from tests.factories.vouchers import make_voucher, place_with

pytestmark = pytest.mark.django_db

NEW = {"code": "tea-10", "kind": "percentage", "percent": "12.5"}


def create(client: Client, site: str = "merchant", **given: Any) -> Any:
    return client.post(f"/{site}/new-voucher/", {**NEW, **given})


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 422
    assert not Voucher.objects.exists()
    return dict(answer.context["form"].errors)


def test_a_merchant_makes_a_voucher_that_it_pays_for() -> None:
    merchant = make_delivering_merchant("JPY")
    client = member_client(merchant)
    assert "New voucher" in client.get("/merchant/").content.decode()

    answer = create(
        client, minimum="3000", total_limit="50", per_customer_limit="1", ends_at="2099-12-31T23:59"
    )

    row = Voucher.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, page(row))
    assert (row.code, row.basis_points, row.funded_by) == ("TEA-10", 1250, "merchant")
    assert (row.merchant_id, row.currency, row.minimum_minor) == (merchant.pk, "JPY", 3000)
    assert (row.total_limit, row.per_customer_limit) == (50, 1)
    assert row.starts_at <= clock.now()
    assert f"{row.ends_at:%Y-%m-%d %H:%M}" == "2099-12-31 23:59"
    text = client.get(page(row)).content.decode()
    assert "12.5 %" in text
    assert "3000 JPY" in text


def test_what_a_merchant_may_not_say_is_not_heard() -> None:
    merchant, other = make_delivering_merchant(), make_delivering_merchant()
    create(member_client(merchant), funded_by="platform", seller=other.slug, currency="JPY")
    row = Voucher.objects.get()
    assert (row.funded_by, row.merchant_id, row.currency) == ("merchant", merchant.pk, "")


def test_staff_make_one_for_everybody_or_for_a_merchants_goods() -> None:
    client, merchant = staff_client(), make_delivering_merchant()
    fixed = {"kind": "fixed", "percent": "", "amount": "5.50", "currency": "eur"}
    create(client, "platform", **fixed, funded_by="platform")
    create(client, "platform", code="OF-ONE", funded_by="merchant", seller=merchant.slug)
    first, second = Voucher.objects.order_by("pk")
    assert (first.amount_minor, first.currency, first.merchant) == (550, "EUR", None)
    assert (second.funded_by, second.merchant_id) == ("merchant", merchant.pk)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"code": "a b"}, "code"),
        ({"code": "ä-10"}, "code"),
        ({"percent": ""}, "percent"),
        ({"percent": "101"}, "percent"),
        ({"percent": "1.234"}, "percent"),
        ({"kind": "all"}, "kind"),
        ({"kind": "fixed", "percent": "", "amount": "1.234", "currency": "EUR"}, "amount"),
        ({"kind": "fixed", "percent": "", "amount": "5"}, "amount"),
        ({"kind": "fixed", "percent": "", "currency": "EUR"}, "amount"),
        ({"amount": "5", "currency": "EUR"}, "amount"),
        ({"kind": "free_delivery"}, "percent"),
        ({"minimum": "-1", "currency": "EUR"}, "minimum"),
        ({"ends_at": "2000-01-01T00:00"}, "ends_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"total_limit": "0"}, "total_limit"),
        ({"per_customer_limit": "-1"}, "per_customer_limit"),
        ({"seller": "nobody"}, "seller"),
        ({"seller": "no\0body"}, "seller"),
        ({"funded_by": "merchant"}, "seller"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(given: dict[str, str], field: str) -> None:
    answer = create(staff_client(), "platform", **{"funded_by": "platform", **given})
    assert field in errors_of(answer)


def test_a_code_is_made_once_in_any_case() -> None:
    client = member_client(make_delivering_merchant())
    create(client)
    answer = create(client, code="Tea-10")
    assert answer.status_code == 422
    assert answer.context["form"].non_field_errors() == [
        "There is a voucher with this code already."
    ]
    assert Voucher.objects.count() == 1


@pytest.mark.parametrize("role", [MerchantMember.Role.FULFILMENT, MerchantMember.Role.FINANCE])
def test_who_does_not_manage_makes_none_and_is_not_led_there(role: MerchantMember.Role) -> None:
    client = member_client(make_delivering_merchant(), role)
    assert "New voucher" not in client.get("/merchant/").content.decode()
    assert client.get("/merchant/new-voucher/").status_code == 403
    assert create(client).status_code == 403
    assert not Voucher.objects.exists()


def test_a_merchant_sees_its_own_that_it_pays_for_and_no_others() -> None:
    merchant = make_delivering_merchant()
    own = make_voucher(funded_by="merchant", merchant_id=merchant.pk)
    others = make_voucher(funded_by="merchant", merchant_id=make_delivering_merchant().pk)
    gift = make_voucher(merchant_id=merchant.pk)  # the platform's, for the merchant's goods
    client = member_client(merchant)
    listed = client.get("/merchant/orders/voucher/").content.decode()
    assert [row.code in listed for row in (own, others, gift)] == [True, False, False]
    for row in (others, gift):
        assert client.get(page(row)).status_code == 404
        assert client.post(page(row, "stop"), {"reason": "mine"}).status_code == 404
        row.refresh_from_db()
        assert row.active
    searched = client.get(f"/merchant/orders/voucher/?q={own.code.lower()}").content.decode()
    assert own.code in searched


def test_it_is_stopped_and_resumed_with_a_reason() -> None:
    merchant = make_delivering_merchant()
    row = make_voucher(funded_by="merchant", merchant_id=merchant.pk)
    client = member_client(merchant)
    for verb, active, other in (("stop", False, "resume"), ("resume", True, "stop")):
        assert sent(client, page(row, verb), reason="why not").status_code == 302
        row.refresh_from_db()
        assert row.active is active
        text = client.get(page(row)).content.decode()
        assert page(row, other) in text
        assert page(row, verb) not in text


def test_its_end_and_limits_are_changed_and_what_is_not_changed_stays() -> None:
    row = make_voucher(total_limit=5, per_customer_limit=2)
    client = staff_client()
    path = page(row, "amend", "platform")
    assert sent(client, path, total_limit="9", ends_at="2099-01-01T12:00").status_code == 302
    row.refresh_from_db()
    assert (row.total_limit, row.per_customer_limit) == (9, 2)
    assert f"{row.ends_at:%Y-%m-%d %H:%M}" == "2099-01-01 12:00"
    assert sent(client, path, total_limit="", ends_at="").status_code == 302
    row.refresh_from_db()
    assert (row.total_limit, row.ends_at) == (None, None)


def test_no_limit_goes_below_what_is_used() -> None:
    row = make_voucher(total_limit=5)
    for _ in range(2):
        place_with(row, [(make_stocked_sku(), 1)])
    client = staff_client()
    path = page(row, "amend", "platform")
    answer = sent(client, path, total_limit="1")
    assert answer.status_code == 409
    assert "It is used 2 times already" in answer.content.decode()
    row.refresh_from_db()
    assert row.total_limit == 5


def test_a_form_of_what_somebody_else_has_changed_does_nothing() -> None:
    row = make_voucher(total_limit=5)
    client = staff_client()
    path = page(row, "amend", "platform")
    old = form_of(client, path)
    sent(client, path, total_limit="7")
    answer = client.post(path, {**old, "per_customer_limit": "1"})
    assert answer.status_code == 409
    row.refresh_from_db()
    assert (row.total_limit, row.per_customer_limit) == (7, None)
