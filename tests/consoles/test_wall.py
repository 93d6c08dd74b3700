"""The wall between merchants: whatever is asked for in the console, only one's own is shown."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from django.test import Client

from accounts.consoles import TenantModelAdmin, merchant_site
from catalog.models import Sku
from inventory.models import StockItem
from orders.models import Order
from tests.consoles.world import (
    Stall,
    database,
    make_shared_group,
    make_stall,
    member_client,
    page,
    paths,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def stalls() -> tuple[Stall, Stall]:
    """The one that is looked for, and the one whose member looks."""
    stalls = make_stall("Alpha"), make_stall("Bravo")
    make_shared_group(*stalls)
    return stalls


def asked(theirs: Stall, ours: Stall) -> Iterator[tuple[str, str]]:
    """Every address of the site with every row of both, and every way to search for theirs."""
    yield from paths(merchant_site, theirs.rows + ours.rows)
    for model in merchant_site._registry:
        where = f"/merchant/{model._meta.app_label}/{model._meta.model_name}/"
        for secret in sorted(theirs.secrets):
            yield "search", f"{where}?q={secret}"
        yield "lookup", f"{where}?merchant__id__exact={theirs.merchant.pk}"
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey):
                of = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                ask = f"/merchant/autocomplete/?{of}&field_name={field.name}"
                for secret in sorted(theirs.secrets):
                    yield "autocomplete", f"{ask}&term={secret}"


def leaks(client: Client, theirs: Stall, ours: Stall) -> set[str]:
    """The names of the pages that tell something of theirs."""
    secret = re.compile(
        "|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in theirs.secrets)
    )
    found = set()
    for name, path in asked(theirs, ours):
        answer = client.get(path)
        assert answer.status_code in (200, 302, 400, 403, 404, 405), (path, answer.status_code)
        text = answer.content.decode(errors="replace")  # a PDF is no text
        if "?q=" in path:  # the box shows again what was asked for
            text = text.replace(path.partition("?q=")[2], "")
        if answer.status_code == 200 and secret.search(text):
            found.add(name)
    return found


def test_a_member_of_one_merchant_finds_nothing_of_another(stalls: tuple[Stall, Stall]) -> None:
    theirs, ours = stalls
    assert leaks(member_client(ours.merchant), theirs, ours) == set()


def test_the_wall_test_finds_the_leaks_of_a_base_class_without_scope(
    stalls: tuple[Stall, Stall], monkeypatch: pytest.MonkeyPatch
) -> None:
    def everything(table: Any, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows

    monkeypatch.setattr(TenantModelAdmin, "scope", everything)
    theirs, ours = stalls
    found = leaks(member_client(ours.merchant), theirs, ours)
    for table in ("orders_order", "inventory_stockitem", "catalog_sku", "catalog_product"):
        assert {f"{table}_changelist", f"{table}_change"} <= found
    assert {"search", "autocomplete", "orders_order_history", "orders_order_refund"} <= found


def test_everybody_finds_their_own(stalls: tuple[Stall, Stall]) -> None:
    theirs, ours = stalls
    found = leaks(member_client(theirs.merchant), theirs, ours)
    assert {"orders_order_changelist", "orders_order_change", "search", "autocomplete"} <= found


def test_nothing_of_another_merchant_can_be_changed(stalls: tuple[Stall, Stall]) -> None:
    theirs, ours = stalls
    client = member_client(ours.merchant)
    client.get("/merchant/")
    before = database()
    form = {"token": "t" * 32, "stamp": "", "reason": "mine now", "amount": "1.00", "change": "5"}
    ticked = {"action": "delete_selected", "_selected_action": [row.pk for row in theirs.rows]}
    for _name, path in paths(merchant_site, theirs.rows):
        if "logout" not in path and "switch" not in path:
            answer = client.post(path, {**form, **ticked})
            assert answer.status_code in (200, 302, 403, 404, 405, 422), (path, answer.status_code)
    assert database() == before


def test_choices_of_a_form_are_ones_own(stalls: tuple[Stall, Stall]) -> None:
    _theirs, ours = stalls
    request = HttpRequest()
    request.user = member_client(ours.merchant).get("/merchant/").wsgi_request.user
    request.session = {}  # type: ignore[assignment]
    table: Any = merchant_site._registry[StockItem]
    fields = {
        name: table.formfield_for_foreignkey(StockItem._meta.get_field(name), request)
        for name in ("sku", "merchant", "location")
    }
    assert set(fields["sku"].queryset) == set(Sku.objects.filter(merchant=ours.merchant))
    assert not fields["merchant"].queryset.exists()  # a table that this console does not show
    assert not fields["location"].queryset.exists()


def test_who_works_for_two_merchants_sees_one_at_a_time(stalls: tuple[Stall, Stall]) -> None:
    first, second = stalls
    client = member_client(first.merchant)
    user = client.get("/merchant/").wsgi_request.user
    member_client(second.merchant, user=user)  # type: ignore[arg-type]

    assert client.get(page(first.first(Order))).status_code == 200
    assert client.get(page(second.first(Order))).status_code == 404
    assert client.get("/merchant/switch/").status_code == 405
    answer = client.post("/merchant/switch/", {"merchant": second.merchant.pk}, follow=True)

    assert second.merchant.name in answer.content.decode()
    assert client.get(page(first.first(Order))).status_code == 404
    assert client.get(page(second.first(Order))).status_code == 200


def test_a_merchant_that_one_does_not_work_for_can_not_be_chosen(
    stalls: tuple[Stall, Stall],
) -> None:
    theirs, ours = stalls
    client = member_client(ours.merchant)
    client.post("/merchant/switch/", {"merchant": theirs.merchant.pk})
    assert client.get(page(theirs.first(Order))).status_code == 404
    assert client.get(page(ours.first(Order))).status_code == 200
