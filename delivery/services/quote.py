"""What delivery costs: `quote` reads it for a checkout, `quote_record` keeps a carrier's word."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from catalog.models import HIGHEST_PRICE_MINOR
from core.command import command
from core.errors import Conflict, DomainError, Invalid
from delivery import selectors
from delivery.models import DeliveryMethod, DeliveryQuote
from delivery.selectors import Offer

Kind = DeliveryMethod.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One merchant's part of a cart. No method chosen: the merchant's first that has a price."""

    merchant_id: int
    currency: str
    goods_minor: int
    weight_g: int
    method_id: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """The method that a parcel goes by, and its price in minor units of the parcel's currency."""

    method_id: int
    name: str
    amount_minor: int


def quote(*, cart_id: int, parcels: Sequence[Parcel], at: datetime) -> dict[int, Quote]:
    """The price of each parcel, by merchant. Reads only: two queries for any number of merchants.

    Raises Invalid `delivery.unavailable` where the merchant has no method, rate or quote for the
    parcel, `delivery.method_unknown` for a choice that is not offered; Conflict
    `delivery.quote_expired`.
    """
    offers = selectors.offers({parcel.merchant_id for parcel in parcels})
    quotes = selectors.quotes(cart_id)
    return {
        parcel.merchant_id: _quoted(parcel, offers.get(parcel.merchant_id, []), quotes, at)
        for parcel in parcels
    }


def quote_all(*, cart_id: int, parcels: Sequence[Parcel], at: datetime) -> dict[int, list[Quote]]:
    """Every way that each parcel can go by now, by merchant, the first choice first.

    Ways without a price for the parcel are left out. Reads only: two queries.
    """
    offers = selectors.offers({parcel.merchant_id for parcel in parcels})
    quotes = selectors.quotes(cart_id)
    return {
        parcel.merchant_id: _ways(parcel, offers.get(parcel.merchant_id, []), quotes, at)
        for parcel in parcels
    }


@command
def quote_record(
    *,
    cart_id: int,
    merchant_id: int,
    method_id: int,
    amount_minor: int,
    valid_until: datetime,
    actor: Actor,
) -> None:
    """Keeps what a carrier asks for this cart, instead of what it asked before.

    Raises Invalid `delivery.method_unknown` unless the merchant has that quoted method,
    `delivery.amount` for a price below 0 or beyond reason.
    """
    if not 0 <= amount_minor <= HIGHEST_PRICE_MINOR:
        raise Invalid("delivery.amount", _("This is not a price."), amount_minor=amount_minor)
    method = DeliveryMethod.objects.filter(
        pk=method_id, merchant_id=merchant_id, kind=Kind.QUOTED, active=True
    ).first()
    if method is None:
        raise _unknown(merchant_id, method_id)
    row = DeliveryQuote(
        cart_id=cart_id,
        merchant_id=merchant_id,
        method=method,
        amount_minor=amount_minor,
        currency=method.currency,
        valid_until=valid_until,
    )
    DeliveryQuote.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["cart_id", "merchant", "method"],
        update_fields=["amount_minor", "currency", "valid_until"],
    )


def _quoted(
    parcel: Parcel, offers: Sequence[Offer], quotes: Mapping[int, DeliveryQuote], at: datetime
) -> Quote:
    """By the chosen way; without a choice by the first that has a price, or why none has."""
    if parcel.method_id is None:
        for way in _ways(parcel, offers, quotes, at):
            return way
    return _price(parcel, _choose(parcel, offers), quotes, at)


def _ways(
    parcel: Parcel, offers: Sequence[Offer], quotes: Mapping[int, DeliveryQuote], at: datetime
) -> list[Quote]:
    found = []
    for offer in offers:
        with suppress(DomainError):
            found.append(_price(parcel, offer, quotes, at))
    return found


def _choose(parcel: Parcel, offers: Sequence[Offer]) -> Offer:
    if parcel.method_id is not None:
        for offer in offers:
            if offer.method_id == parcel.method_id:
                return offer
        raise _unknown(parcel.merchant_id, parcel.method_id)
    for offer in offers:
        return offer
    raise _unavailable(parcel)


def _price(
    parcel: Parcel, offer: Offer, quotes: Mapping[int, DeliveryQuote], at: datetime
) -> Quote:
    amount_minor: int | None = offer.price_minor
    if offer.kind == Kind.BY_WEIGHT:
        amount_minor = offer.rate_minor(parcel.weight_g)
    elif offer.kind == Kind.QUOTED:
        amount_minor = _quoted_minor(parcel, quotes.get(offer.method_id), at)
    if amount_minor is None or offer.currency != parcel.currency:
        raise _unavailable(parcel)
    return Quote(offer.method_id, offer.name, amount_minor)


def _quoted_minor(parcel: Parcel, row: DeliveryQuote | None, at: datetime) -> int | None:
    if row is None:
        return None
    if row.valid_until <= at:
        raise Conflict(
            "delivery.quote_expired",
            _("The price of delivery is out of date. Ask for it again."),
            merchant_id=str(parcel.merchant_id),
            valid_until=row.valid_until,
        )
    return row.amount_minor


def _unavailable(parcel: Parcel) -> Invalid:
    return Invalid(
        "delivery.unavailable",
        _("The merchant can't deliver this."),
        merchant_id=str(parcel.merchant_id),
    )


def _unknown(merchant_id: int, method_id: int) -> Invalid:
    return Invalid(
        "delivery.method_unknown",
        _("The merchant does not offer this way of delivery."),
        merchant_id=str(merchant_id),
        method_id=str(method_id),
    )
