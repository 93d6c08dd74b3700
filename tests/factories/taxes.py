"""What is taxed how."""

from catalog.models import TaxClass
from catalog.taxes import tax_rate_set
from tests.factories import TESTER


def make_rates(country: str = "DE", *, region: str = "", **percent: float) -> None:
    """The rates of a place, in per cent by class; a class that is not there is made."""
    for code, rate in percent.items():
        TaxClass.objects.get_or_create(code=code, defaults={"name": code})
        tax_rate_set(
            tax_class=code,
            country=country,
            region=region,
            parts_per_million=round(rate * 10_000),
            actor=TESTER,
        )
