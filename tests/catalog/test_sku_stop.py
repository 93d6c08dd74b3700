"""An item is taken off sale and put back, whatever its product shows."""

import pytest

from accounts.permissions import merchant_actor
from catalog.models import Sku
from catalog.services import sku_resume, sku_stop
from core.errors import NotFound
from core.models import OutboxEvent
from tests.factories import TESTER, make_merchant, make_sku

pytestmark = pytest.mark.django_db


def events() -> list[str]:
    told = OutboxEvent.objects.filter(type__in=["sku.stopped", "sku.resumed"])
    return list(told.order_by("seq").values_list("type", flat=True))


def test_an_item_that_is_stopped_is_not_for_sale_until_it_is_resumed() -> None:
    sku = make_sku()
    sku_stop(sku_id=sku.pk, reason="counting", actor=TESTER)
    assert not Sku.objects.get(pk=sku.pk).for_sale
    sku_resume(sku_id=sku.pk, reason="counted", actor=TESTER)
    assert Sku.objects.get(pk=sku.pk).for_sale
    assert events() == ["sku.stopped", "sku.resumed"]
    assert OutboxEvent.objects.get(type="sku.stopped").payload["reason"] == "counting"


def test_repeated_both_are_quiet() -> None:
    sku = make_sku()
    sku_resume(sku_id=sku.pk, reason="-", actor=TESTER)
    for _ in range(2):
        sku_stop(sku_id=sku.pk, reason="-", actor=TESTER)
    assert events() == ["sku.stopped"]


def test_another_merchant_finds_no_such_item() -> None:
    sku, other = make_sku(), make_merchant()
    with pytest.raises(NotFound):
        sku_stop(sku_id=sku.pk, reason="-", actor=merchant_actor(merchant_id=other.pk, user_id=1))
