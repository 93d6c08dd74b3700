"""What vouchers promise: who may say it, what is refused, and that it is told."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.actors import Actor
from accounts.permissions import merchant_actor
from core import clock
from core.errors import Conflict, Denied, DomainError, Invalid, NotFound
from core.models import OutboxEvent
from orders.models import Voucher
from orders.services.voucher_terms import (
    NewVoucher,
    voucher_amend,
    voucher_create,
    voucher_resume,
    voucher_stop,
)
from tests.factories import TESTER, make_customer
from tests.factories.story import BUYER, make_delivering_merchant, make_stocked_sku
from tests.factories.vouchers import make_voucher, place_with

pytestmark = pytest.mark.django_db

TENTH: dict[str, Any] = {"code": "TENTH", "kind": "percentage", "basis_points": 1000}


def seller(merchant_id: int) -> Actor:
    return merchant_actor(merchant_id=merchant_id, user_id=1)


def amend(voucher: Voucher, *, actor: Actor = TESTER, **given: Any) -> Voucher:
    kept = {
        "ends_at": voucher.ends_at,
        "per_customer_limit": voucher.per_customer_limit,
        "total_limit": voucher.total_limit,
    }
    return voucher_amend(voucher_id=voucher.pk, actor=actor, **{**kept, **given})


def told() -> list[str]:
    events = OutboxEvent.objects.filter(type__startswith="voucher.")
    return list(events.order_by("seq").values_list("type", flat=True))


def test_a_code_is_kept_in_capitals_and_begins_at_once() -> None:
    row = make_voucher(code=" welcome-10 ")
    assert row.code == "WELCOME-10"
    assert row.starts_at <= clock.now()
    assert (row.used_count, row.active) == (0, True)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"code": "AB"}, "code"),
        ({"code": "A B C"}, "code"),
        ({"code": "X" * 41}, "code"),
        ({"code": "ẞẞẞ"}, "code"),
        ({"code": "AB\0C"}, "code"),
        ({"kind": "half"}, "kind"),
        ({"funded_by": "nobody"}, "funded_by"),
        ({"basis_points": 0}, "basis_points"),
        ({"basis_points": 10_001}, "basis_points"),
        ({"basis_points": -1}, "basis_points"),
        ({"amount_minor": 100, "currency": "EUR"}, "amount_minor"),
        ({"kind": "fixed"}, "basis_points"),
        ({"kind": "fixed", "basis_points": 0}, "amount_minor"),
        ({"kind": "fixed", "basis_points": 0, "amount_minor": 2**53 + 1}, "amount_minor"),
        ({"kind": "fixed", "basis_points": 0, "amount_minor": 1}, "currency"),
        ({"kind": "free_delivery"}, "basis_points"),
        ({"kind": "free_delivery", "basis_points": 0, "amount_minor": 1}, "currency"),
        ({"minimum_minor": 1}, "currency"),
        ({"minimum_minor": -1, "currency": "EUR"}, "minimum_minor"),
        ({"currency": "XYZ"}, "currency"),
        ({"funded_by": "merchant"}, "merchant"),
        ({"per_customer_limit": 0}, "per_customer_limit"),
        ({"total_limit": -1}, "total_limit"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_field(
    given: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make_voucher(**{**TENTH, **given})
    assert refused.value.code == "voucher.invalid"
    assert field in refused.value.facts["fields"]
    assert not Voucher.objects.exists()
    assert told() == []


def test_it_ends_after_it_has_begun() -> None:
    now = clock.now()
    with pytest.raises(Invalid) as refused:
        make_voucher(starts_at=now, ends_at=now)
    assert set(refused.value.facts["fields"]) == {"ends_at"}
    row = make_voucher(starts_at=now, ends_at=now + timedelta(microseconds=1))
    with pytest.raises(Invalid):
        amend(row, ends_at=now)


def test_amounts_are_in_the_merchants_currency() -> None:
    merchant = make_delivering_merchant("JPY")
    with pytest.raises(Invalid) as refused:
        make_voucher(amount_minor=500, merchant_id=merchant.pk)
    assert refused.value.facts["fields"] == {"currency": [f"{merchant.name} sells in JPY."]}


def test_a_code_is_there_once() -> None:
    make_voucher(code="ONCE")
    with pytest.raises(Conflict) as refused:
        make_voucher(code="once")
    assert refused.value.code == "voucher.code_taken"
    assert Voucher.objects.count() == 1


def test_a_merchant_makes_what_it_pays_for_and_nothing_else() -> None:
    own, other = make_delivering_merchant(), make_delivering_merchant()
    actor = seller(own.pk)
    given = {**TENTH, "funded_by": "merchant", "merchant_id": own.pk}
    for wrong, kind in (
        ({"funded_by": "platform"}, Denied),
        ({"merchant_id": None}, Denied),
        ({"merchant_id": other.pk}, NotFound),
        ({"merchant_id": -1}, NotFound),
    ):
        with pytest.raises(kind):
            voucher_create(voucher=NewVoucher(**{**given, **wrong}), actor=actor)
    assert not Voucher.objects.exists()
    assert voucher_create(voucher=NewVoucher(**given), actor=actor).merchant == own


def test_nobody_changes_what_somebody_else_pays_for() -> None:
    own, other = make_delivering_merchant(), make_delivering_merchant()
    theirs = make_voucher(funded_by="merchant", merchant_id=other.pk)
    gift = make_voucher(merchant_id=own.pk)
    for row in (theirs, gift):
        for actor in (seller(own.pk), BUYER):
            for act in (voucher_stop, voucher_resume):
                with pytest.raises(NotFound):
                    act(voucher_id=row.pk, reason="mine", actor=actor)
            with pytest.raises(NotFound):
                amend(row, actor=actor, total_limit=1)
    assert Voucher.objects.filter(active=True, total_limit=None).count() == 2
    with pytest.raises(NotFound):
        voucher_stop(voucher_id=-1, reason="", actor=TESTER)


def test_a_buyer_makes_none() -> None:
    with pytest.raises(Denied):
        voucher_create(voucher=NewVoucher(**TENTH, funded_by="platform"), actor=BUYER)


def test_stop_and_resume_leave_it_as_it_was_and_are_told_once_each() -> None:
    row = make_voucher()
    before = Voucher.objects.values().get()
    for act in (voucher_stop, voucher_stop, voucher_resume, voucher_resume):
        act(voucher_id=row.pk, reason="test", actor=TESTER)
    assert Voucher.objects.values().get() == before
    assert told() == ["voucher.created", "voucher.stopped", "voucher.resumed"]


def test_end_and_limits_are_given_and_taken_away() -> None:
    row = make_voucher()
    end = clock.now() + timedelta(days=1)
    amend(row, ends_at=end, per_customer_limit=2, total_limit=3)
    kept = Voucher.objects.get()
    assert (kept.ends_at, kept.per_customer_limit, kept.total_limit) == (end, 2, 3)
    amend(kept, ends_at=None, per_customer_limit=None, total_limit=None)
    kept = Voucher.objects.get()
    assert (kept.ends_at, kept.per_customer_limit, kept.total_limit) == (None, None, None)
    assert told() == ["voucher.created", "voucher.amended", "voucher.amended"]
    with pytest.raises(Invalid):
        amend(row, total_limit=0)


@pytest.mark.parametrize("limit", ["total_limit", "per_customer_limit"])
def test_no_limit_goes_below_what_is_used(limit: str) -> None:
    row, ada, sku = make_voucher(), make_customer(), make_stocked_sku()
    for _ in range(2):
        place_with(row, [(sku, 1)], ada)
    low: dict[str, Any] = {limit: 1}
    with pytest.raises(DomainError) as refused:
        amend(row, **low)
    assert (refused.value.code, refused.value.facts["used"]) == ("voucher.used_more", 2)
    amend(row, **low | {limit: 2})
    assert Voucher.objects.values_list(limit, flat=True).get() == 2
