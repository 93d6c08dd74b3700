"""The furniture of the demo."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from PIL import Image

from accounts.models import Merchant, MerchantMember, User
from accounts.services import merchant_activate
from catalog.models import Product, ProductImage, Sku
from catalog.selectors import published_products
from catalog.services import sku_reprice
from core import audit, clock
from core.models import BusinessClock, OutboxStream
from delivery.models import DeliveryMethod
from inventory.models import StockItem, StockMovement
from orders.management.demo.past import ORDERS, WEEKS, live_past
from orders.management.demo.people import plant_people
from orders.management.demo.pictures import COLOURS, KINDS
from orders.management.demo.stalls import STALLS, goods_of, open_market, plant_categories
from orders.management.demo.taxes import plant_taxes
from orders.models import Mail, Order, OrderGroup, Voucher
from orders.states import GROUP, ORDER
from payments.models import Refund
from tests.factories import TESTER

pytestmark = pytest.mark.django_db
LARGEST_PICTURE_BYTES = 20_000


@pytest.fixture(autouse=True)
def demo(settings: Any, tmp_path: Path) -> Path:
    settings.DEMO = True
    settings.STATE_DIR = tmp_path
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path


def furnish() -> None:
    """People and goods, without what takes its time."""
    call_command("seed_demo", goods_only=True)


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def counts() -> list[int]:
    models = (User, Merchant, MerchantMember, Product, Sku, StockItem, StockMovement, Voucher)
    return [model.objects.count() for model in models]


def test_the_demo_has_merchants_goods_and_people() -> None:
    furnish()

    assert Merchant.objects.filter(state="active").count() == 3
    assert Merchant.objects.get(state="suspended").slug == "old-town-records"
    assert len(published_products(limit=100).products) == 90
    assert Product.objects.count() == 120
    assert all(merchant.skus.count() > 30 for merchant in Merchant.objects.all())
    assert all(len(text) > 100 for text in Product.objects.values_list("description", flat=True))
    assert not Product.objects.filter(category=None).exists()
    assert set(Sku.objects.values_list("currency", flat=True)) == {"EUR", "JPY"}
    assert Sku.objects.filter(needs_parcel=False).count() == 2
    assert Sku.objects.filter(stock_items=None).exists()
    assert set(StockItem.objects.values_list("on_hand", flat=True)) == {3, 40}
    assert {merchant.delivery_methods.count() for merchant in Merchant.objects.all()} == {2}
    assert User.objects.filter(is_demo=True, memberships=None).count() == 3
    codes = set(Voucher.objects.filter(active=True).values_list("code", "merchant__slug"))
    assert codes == {("WELCOME10", None), ("FREESHIP", None), ("TEATIME", "harbour-tea")}
    assert User.objects.get(is_staff=True).email == "staff@quayside.example"


def test_everybody_logs_in_with_the_password_that_is_kept(demo: Path) -> None:
    furnish()

    logins = json.loads((demo / "logins.json").read_text())
    assert set(logins) == set(User.objects.values_list("email", flat=True))
    for email, password in logins.items():
        answer = Client().post("/account/login/", {"login": email, "password": password})
        assert answer.status_code == 302


def test_a_second_time_changes_nothing_and_keeps_what_people_did() -> None:
    furnish()
    before = counts()
    suspended = Merchant.objects.get(state="suspended")
    merchant_activate(merchant_id=suspended.pk, actor=TESTER)
    sku_reprice(sku_id=Sku.objects.earliest("pk").pk, price_minor=1, actor=TESTER)
    DeliveryMethod.objects.filter(merchant=suspended).update(price_minor=1)

    furnish()

    assert counts() == before
    assert Sku.objects.earliest("pk").price_minor == 1
    suspended.refresh_from_db()
    assert suspended.state == "active"


def test_an_interrupted_seed_is_finished_by_the_next() -> None:
    furnish()
    before = counts()
    StockMovement.objects.all().delete()
    StockItem.objects.all().delete()
    MerchantMember.objects.all().delete()
    User.objects.filter(is_staff=True).delete()
    Voucher.objects.filter(code="TEATIME").delete()

    furnish()

    assert counts() == before


def test_passwords_that_were_lost_are_made_anew(demo: Path) -> None:
    furnish()
    (demo / "logins.json").unlink()

    furnish()

    email, password = next(iter(json.loads((demo / "logins.json").read_text()).items()))
    assert User.objects.get(email=email).check_password(password)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_the_whole_demo_has_pictures_and_orders_in_every_state(demo: Path) -> None:
    call_command("seed_demo")

    assert not Product.objects.filter(images=None).exists()
    files = list((demo / "media").rglob("*.webp"))
    assert len(files) == 120
    assert max(file.stat().st_size for file in files) <= LARGEST_PICTURE_BYTES
    assert {size_of(file) for file in files} == {(480, 480)}
    at_rest = {state.name for state in GROUP.states} - {"expiring"}  # it lasts for seconds
    assert set(OrderGroup.objects.values_list("status", flat=True)) == at_rest
    assert set(Order.objects.values_list("status", flat=True)) == {
        state.name for state in ORDER.states
    }
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    assert OrderGroup.objects.filter(customer__user__email="ada@shopper.example").count() >= 8
    assert not Mail.objects.filter(sent_at=None).exists()
    assert not OutboxStream.objects.filter(last_seq__gt=F("delivered_seq")).exists()
    assert audit.run(final=True) == []
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    before = [*counts(), OrderGroup.objects.count(), ProductImage.objects.count()]

    call_command("seed_demo")

    assert [*counts(), OrderGroup.objects.count(), ProductImage.objects.count()] == before
    connection.close()  # it was told to commit in a hurry


def test_a_past_that_was_interrupted_is_lived_to_its_end() -> None:
    assert clock.begin_earlier(WEEKS)
    plant_people()
    plant_categories()
    plant_taxes()
    open_market()
    today = clock.now() + clock.behind()
    live_past(ORDERS[:3])
    BusinessClock.objects.update(offset=-timedelta(days=2))  # where it was interrupted

    live_past([*ORDERS[:3], (1.0, "ada", "harbour-tea 1", "paid")])

    assert OrderGroup.objects.count() == 4
    assert abs(clock.now() - today) < timedelta(minutes=5)


def test_every_picture_has_words_that_can_be_drawn() -> None:
    for stall in STALLS:
        for goods in goods_of(stall.merchant.slug):
            kind, main, accent = goods.picture.split()
            assert kind in KINDS
            assert {main, accent} <= set(COLOURS)
            assert main != accent


def test_there_is_no_demo_in_production(settings: Any, demo: Path) -> None:
    settings.DEMO = False

    with pytest.raises(CommandError):
        furnish()

    assert not User.objects.exists()
    assert not (demo / "logins.json").exists()
