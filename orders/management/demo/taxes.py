"""The demo's taxes: rates of some countries, so that its orders show some."""

from accounts.actors import system
from catalog.models import DELIVERY, STANDARD, TaxClass
from catalog.taxes import tax_class_create, tax_rate_set

SEED = system("seed")
FOOD = "food"
# What of the goods is food, by category.
FOOD_CATEGORIES = frozenset({"pantry", "tea", "herbal", "sweets"})
# Parts per million of a country: the standard rate, that of food. Delivery has the standard rate.
RATES = {
    "AT": (200_000, 100_000),
    "DE": (190_000, 70_000),
    "DK": (250_000, 250_000),
    "ES": (210_000, 100_000),
    "FI": (255_000, 140_000),
    "FR": (200_000, 55_000),
    "GB": (200_000, 0),
    "IE": (230_000, 0),
    "JP": (100_000, 80_000),
    "PL": (230_000, 50_000),
}


def plant_taxes() -> None:
    """Rates that are set already stay as they are set."""
    if not TaxClass.objects.filter(pk=FOOD).exists():
        tax_class_create(code=FOOD, name="Food", actor=SEED)
    for code, name in ((STANDARD, "Standard"), (DELIVERY, "Delivery")):
        if not TaxClass.objects.filter(pk=code).exists():
            tax_class_create(code=code, name=name, actor=SEED)
    known = {
        code: set(TaxClass.objects.get(pk=code).rates.values_list("country", flat=True))
        for code in (STANDARD, DELIVERY, FOOD)
    }
    for country, (standard, food) in RATES.items():
        for code, rate_ppm in ((STANDARD, standard), (DELIVERY, standard), (FOOD, food)):
            if country not in known[code]:
                tax_rate_set(
                    tax_class=code, country=country, parts_per_million=rate_ppm, actor=SEED
                )
