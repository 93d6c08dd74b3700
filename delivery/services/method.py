"""The ways in which a merchant delivers: create, deactivate ↔ activate."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from catalog.models import HIGHEST_PRICE_MINOR
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from delivery.models import DeliveryMethod, DeliveryRate

Kind = DeliveryMethod.Kind


@command
def method_create(
    *,
    merchant_id: int,
    code: str,
    name: str,
    kind: str,
    actor: Actor,
    price_minor: int = 0,
    rates: Mapping[int, int] | None = None,
    position: int = 0,
) -> DeliveryMethod:
    """Offers a way of delivery in the merchant's currency. Quiet when that very method exists.

    `price_minor` is of a flat method, `rates` (grams up to → minor units) are of one by weight.
    Raises NotFound `merchant.unknown`; Invalid `delivery.method`; Conflict `delivery.method_exists`.
    """
    rates = dict(rates or {})
    _require_sense(kind, price_minor, rates)
    merchant = Merchant.objects.filter(pk=merchant_id).first()
    if merchant is None:
        raise NotFound("merchant.unknown", _("There is no such merchant."))
    given = {
        "name": name,
        "kind": kind,
        "currency": merchant.currency,
        "price_minor": price_minor,
        "position": position,
    }
    method, is_new = DeliveryMethod.objects.get_or_create(
        merchant=merchant, code=code, defaults=given
    )
    if is_new:
        DeliveryRate.objects.bulk_create(
            DeliveryRate(method=method, up_to_weight_g=grams, price_minor=minor)
            for grams, minor in sorted(rates.items())
        )
    elif not _is_same(method, given, rates):
        raise Conflict(
            "delivery.method_exists", _("Another method has this code."), code_given=code
        )
    return method


@command
def method_deactivate(*, method_id: int, actor: Actor) -> None:
    """Offers the method no longer. Quiet when it is not. Raises NotFound."""
    _set_active(method_id, active=False)


@command
def method_activate(*, method_id: int, actor: Actor) -> None:
    """Offers the method again. Quiet when it is. Raises NotFound."""
    _set_active(method_id, active=True)


def _set_active(method_id: int, *, active: bool) -> None:
    if not DeliveryMethod.objects.filter(pk=method_id).update(active=active):
        raise NotFound("delivery.method_unknown", _("There is no such way of delivery."))


def _require_sense(kind: str, price_minor: int, rates: Mapping[int, int]) -> None:
    """Rates belong to weight and to nothing else, a price to the flat kind; bounds as for goods."""
    in_bounds = all(0 <= minor <= HIGHEST_PRICE_MINOR for minor in (price_minor, *rates.values()))
    makes_sense = (
        kind in Kind.values
        and bool(rates) == (kind == Kind.BY_WEIGHT)
        and (price_minor == 0 or kind == Kind.FLAT)
        and all(grams >= 0 for grams in rates)
    )
    if not (in_bounds and makes_sense):
        raise Invalid("delivery.method", _("Kind, price and rates do not go together."))


def _is_same(method: DeliveryMethod, given: Mapping[str, object], rates: dict[int, int]) -> bool:
    known_rates = dict(method.rates.values_list("up_to_weight_g", "price_minor"))
    return known_rates == rates and all(
        getattr(method, name) == value for name, value in given.items()
    )
