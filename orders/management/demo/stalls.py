"""The demo's merchants: what they are called, how they deliver, what they sell and have in stock.

Goods stand in `goods/<slug>.txt`, three facts about a product on two lines:

    title | category | picture | variant price weight in grams; …
        description

Prices are in major units, what weighs nothing needs no parcel. SKU codes count the lines, so new
products go to the end of a file.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.text import slugify

from accounts.actors import system
from accounts.models import Merchant, MerchantMember
from accounts.services import NewMerchant, member_add, merchants_import
from catalog.models import Category, Product, Sku
from catalog.services import NewProduct, NewSku, catalog_import, category_create, image_add
from core import money
from delivery.models import DeliveryMethod
from delivery.services import method_create
from inventory.services import Receipt, stock_receive_many
from orders.management.demo.people import login
from orders.management.demo.pictures import picture
from orders.management.demo.taxes import FOOD, FOOD_CATEGORIES

SEED = system("seed")
GOODS = Path(__file__).parent / "goods"

# Slug, name, the one above.
CATEGORIES = (
    ("pantry", "Pantry", ""),
    ("tea", "Tea", "pantry"),
    ("herbal", "Herbal tea", "tea"),
    ("sweets", "Sweet things", "pantry"),
    ("home", "House", ""),
    ("pottery", "Pottery", "home"),
    ("textiles", "Textiles", "home"),
    ("knitwear", "Knitwear", ""),
    ("yarn", "Yarn", "knitwear"),
    ("records", "Records", ""),
    ("cassettes", "Cassettes", "records"),
    ("listening", "For listening", "records"),
)


class Stall(NamedTuple):
    """A merchant of the demo. Prices are in major units."""

    merchant: NewMerchant
    member: tuple[str, str]
    delivery: str  # the price of a parcel, whatever it weighs
    express: tuple[str, str]  # up to 2 kg, up to 20 kg


class Goods(NamedTuple):
    """A product as its file describes it."""

    number: int
    title: str
    category: str
    picture: str
    variants: str
    description: str

    @property
    def slug(self) -> str:
        return slugify(self.title)


STALLS = (
    Stall(
        NewMerchant(
            slug="harbour-tea",
            name="Harbour Tea",
            currency="EUR",
            country="DE",
            commission_basis_points=1000,
            commission_tax_ppm=190_000,
        ),
        ("owner@harbour-tea.example", "Hanna Harbour"),
        "4.90",
        ("9.90", "19.90"),
    ),
    Stall(
        NewMerchant(
            slug="nordlys-knitwear",
            name="Nordlys Knitwear",
            currency="EUR",
            country="FI",
            commission_basis_points=1250,
            return_window_days=30,
        ),
        ("owner@nordlys.example", "Nils Nordlys"),
        "6.50",
        ("14.90", "29.90"),
    ),
    Stall(
        NewMerchant(
            slug="kawa-pottery",
            name="Kawa Pottery",
            currency="JPY",
            country="JP",
            commission_basis_points=800,
            pay_within_minutes=15,
        ),
        ("owner@kawa-pottery.example", "Kaoru Kawa"),
        "800",
        ("1500", "3200"),
    ),
    Stall(
        NewMerchant(
            slug="old-town-records",
            name="Old Town Records",
            currency="EUR",
            country="AT",
            commission_basis_points=1500,
        ),
        ("owner@old-town-records.example", "Olga Oldtown"),
        "5.50",
        ("11.90", "24.90"),
    ),
)


def goods_of(slug: str) -> Iterator[Goods]:
    """The products of that merchant's file."""
    lines = (GOODS / f"{slug}.txt").read_text(encoding="utf-8").splitlines()
    for number, (head, description) in enumerate(zip(lines[::2], lines[1::2], strict=True), 1):
        title, category, picture_words, variants = (part.strip() for part in head.split("|"))
        yield Goods(number, title, category, picture_words, variants, description.strip())


def plant_categories() -> None:
    for slug, name, parent in CATEGORIES:
        if not Category.objects.filter(slug=slug).exists():
            parent_id = Category.objects.get(slug=parent).pk if parent else None
            category_create(slug=slug, name=name, parent_id=parent_id, actor=SEED)


def set_up(stall: Stall) -> list[NewProduct]:
    """The merchant, its owner, its ways of delivery; answers the goods that it is going to sell."""
    [merchant] = merchants_import(merchants=[stall.merchant], actor=SEED)
    user = login(*stall.member)
    if not merchant.members.filter(user=user).exists():
        owner = MerchantMember.Role.OWNER
        member_add(merchant_id=merchant.pk, user_id=user.pk, role=owner, actor=SEED)
    if not DeliveryMethod.objects.filter(merchant=merchant).exists():
        offer_delivery(stall, merchant)
    category_ids = dict(Category.objects.values_list("slug", "pk"))
    return [new_product(goods, merchant, category_ids) for goods in goods_of(stall.merchant.slug)]


def open_market() -> None:
    """All stalls with their goods and what is on their shelves; the goods came in by turns."""
    offered = [set_up(stall) for stall in STALLS]
    by_turns = [product for turn in zip_longest(*offered) for product in turn if product]
    catalog_import(products=by_turns, actor=SEED)
    for products in offered:
        codes = [sku.code for product in products for sku in product.skus]
        fill_shelves(products[0].merchant_id, codes)


def offer_delivery(stall: Stall, merchant: Merchant) -> None:
    standard, light, heavy = (
        money.parse(price, merchant.currency).amount_minor
        for price in (stall.delivery, *stall.express)
    )
    method_create(
        merchant_id=merchant.pk,
        code="express",
        name="Express",
        kind=DeliveryMethod.Kind.BY_WEIGHT,
        rates={2_000: light, 20_000: heavy},
        position=1,
        actor=SEED,
    )
    method_create(
        merchant_id=merchant.pk,
        code="standard",
        name="Standard",
        kind=DeliveryMethod.Kind.FLAT,
        price_minor=standard,
        actor=SEED,
    )


def new_product(goods: Goods, merchant: Merchant, category_ids: dict[str, int]) -> NewProduct:
    return NewProduct(
        merchant_id=merchant.pk,
        slug=goods.slug,
        title=goods.title,
        description=goods.description,
        category_id=category_ids[goods.category],
        tax_class_id=FOOD if goods.category in FOOD_CATEGORIES else None,
        skus=[
            new_sku(variant, f"{goods.number:02}-{place}", merchant.currency)
            for place, variant in enumerate(goods.variants.split(";"), 1)
        ],
    )


def new_sku(variant: str, code: str, currency: str) -> NewSku:
    title, price, weight_g = variant.strip().rsplit(" ", 2)
    return NewSku(
        code=code,
        title=title,
        price_minor=money.parse(price, currency).amount_minor,
        weight_g=int(weight_g),
        needs_parcel=weight_g != "0",
    )


def fill_shelves(merchant_id: int, codes: list[str]) -> None:
    """Plenty of most SKUs, three of every seventh, none of every eleventh."""
    empty = Sku.objects.filter(merchant=merchant_id, code__in=codes, stock_items=None)
    sku_ids = dict(empty.values_list("code", "pk"))
    receipts = [
        Receipt(
            sku_id=sku_ids[code],
            quantity=40 if number % 7 else 3,
            dedup_key=f"demo:{code}",
        )
        for number, code in enumerate(codes, 1)
        if number % 11 and code in sku_ids
    ]
    stock_receive_many(receipts=receipts, actor=SEED)


def hang_pictures() -> None:
    """Draws a picture of each product that has none."""
    slugs = [stall.merchant.slug for stall in STALLS]
    bare = dict(
        Product.objects.filter(merchant__slug__in=slugs, images=None).values_list("slug", "pk")
    )
    for goods in (goods for slug in slugs for goods in goods_of(slug) if goods.slug in bare):
        drawn = picture(goods.picture, goods.title)
        image_add(
            product_id=bare[goods.slug],
            image=SimpleUploadedFile("drawn.webp", drawn, "image/webp"),
            alt=goods.title,
            actor=SEED,
        )
