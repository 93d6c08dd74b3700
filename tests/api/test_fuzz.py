"""Whatever is sent, the API answers as its document says: no fault, no status that is not declared."""

from pathlib import Path

import pytest

from accounts.keys import PLATFORM_SCOPES, api_key_create
from tests.api.conftest import Caller
from tests.api.fuzz import fuzz, web
from tests.api.walk import answered, cart_with, paid, placed, shipped
from tests.factories import TESTER
from tests.factories.story import make_stocked_sku

pytestmark = pytest.mark.django_db(transaction=True)


def rows() -> tuple[str, dict[str, str]]:
    """A key that may do everything, and the ids of what can be done something with."""
    issued = api_key_create(merchant_id=None, name="fuzz", scopes=PLATFORM_SCOPES, actor=TESTER)
    caller = Caller({"Authorization": f"Bearer {issued.secret}"})
    sku = make_stocked_sku(units=500)
    sold = paid(caller, sku)
    return issued.secret, {
        "product_id": str(sku.product_id),
        "sku_id": str(sku.pk),
        "cart_id": cart_with(caller, sku),
        "checkout_id": answered(caller, sku)["id"],
        "group_id": placed(caller, sku)["id"],
        "order_id": paid(caller, sku)["orders"][0]["id"],
        "payment_id": sold["payment_ids"][0],
        "shipment_id": shipped(caller, sold["orders"][0]["id"])["id"],
    }


def test_some_cases_find_nothing(tmp_path: Path, process_environment: dict[str, str]) -> None:
    secret, ids = rows()
    with web(process_environment, tmp_path / "web.log") as url:
        cases, found = fuzz(url, secret, tmp_path, phases="fuzzing", cases_each=6, ids=ids)
    assert not found, found
    assert cases >= 100


@pytest.mark.long
@pytest.mark.parametrize("known", [True, False], ids=["ids of rows", "ids of nothing"])
def test_two_thousand_cases_find_nothing(
    tmp_path: Path, process_environment: dict[str, str], known: bool
) -> None:
    secret, ids = rows()
    with web(process_environment, tmp_path / "web.log") as url:
        cases, found = fuzz(
            url,
            secret,
            tmp_path,
            phases="coverage,fuzzing,stateful",
            cases_each=30,
            ids=ids if known else {},
        )
    assert not found, found
    assert cases >= 1000
