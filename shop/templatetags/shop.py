"""How pages write money, quantities and stock."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.forms import BoundField
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from catalog.models import Sku
from core.countries import country_name
from delivery.models import DeliveryMethod
from delivery.selectors import Offer
from orders.sentences import amount

register = template.Library()

# At most so many, and the page says how many.
FEW = 5


@register.filter
def money(amount_minor: int, currency: str) -> SafeString:
    """`{{ 950|money:"EUR" }}` is 9.50 EUR, never broken over lines."""
    return format_html('<span class="money">{}</span>', amount(amount_minor, currency))


@register.filter
def stock_word(units: int) -> str:
    """What a shopper is told of the units that there are."""
    if units < 1:
        return gettext("Sold out")
    if units <= FEW:
        return ngettext("Only %(units)s left", "Only %(units)s left", units) % {"units": units}
    return gettext("In stock")


@register.filter
def stock_kind(units: int) -> str:
    """The badge that goes with that word."""
    if units < 1:
        return "bad"
    return "wait" if units <= FEW else "good"


@register.filter
def sold_out(units: int) -> bool:
    """Whether nothing is left."""
    return units < 1


@register.filter
def of(units: Mapping[int, int], key: int) -> int:
    """What the mapping says of that key; 0 where it says nothing."""
    return units.get(key, 0)


@register.filter
def cheapest(skus: Iterable[Sku]) -> Sku | None:
    """The SKU with the lowest price."""
    return min(skus, key=lambda sku: sku.price_minor, default=None)


@register.filter
def prices_differ(skus: Iterable[Sku]) -> bool:
    """Whether the cheapest is not the only price."""
    return len({sku.price_minor for sku in skus}) > 1


@register.filter
def lowest_price(offer: Offer) -> int | None:
    """What a way of delivery costs at least; None where the carrier says it for each basket."""
    if offer.kind == DeliveryMethod.Kind.FLAT:
        return offer.price_minor
    return min((price for _weight, price in offer.rates), default=None)


@register.filter
def country(code: str) -> str:
    """The name of a country."""
    return country_name(code)


@register.filter
def plain(field: BoundField) -> SafeString:
    """The field's input as our forms have it: checked by the server alone, tied to hint and error."""
    told = [f"{field.auto_id}_helptext"] if field.help_text else []
    attributes: dict[str, Any] = {"placeholder": False}
    if field.errors:
        told.append(f"{field.auto_id}_error")
        attributes["aria-invalid"] = "true"
    if told:
        attributes["aria-describedby"] = " ".join(told)
    field.form.use_required_attribute = False
    return field.as_widget(attrs=attributes)


@register.filter
def told(field: BoundField) -> list[str]:
    """What is wrong with the field; what is missing is asked for by its name."""
    asked = gettext("Enter your %(label)s") % {"label": str(field.label).lower()}
    problems = field.errors.as_data() if field.errors else []
    return [
        asked if problem.code == "required" else str(message)
        for problem in problems
        for message in problem.messages
    ]
