"""Checking out: what the shopper answers on the way from cart to order, and the order itself."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import User
from accounts.services import customer_for_email
from core.command import command
from core.errors import DomainError, Invalid
from core.ids import Channel
from delivery.selectors import offers
from orders.addresses import ADDRESS, CONTACT, FIELDS, problems_of, tidied
from orders.locks import lock_cart_of_checkout, lock_open_cart
from orders.models import Cart, CheckoutRecord, OrderGroup
from orders.selectors.basket import basket_lines, lines_by_merchant
from orders.selectors.checkout import (
    answers_of,
    checkout_of_cart,
    checkout_of_token,
    chosen_methods,
    line_problem,
)
from orders.sentences import Problem, amount, refuse
from orders.services.place import Checkout, group_place

# The refusals of placing that are about lines, and are told line by line.
ABOUT_LINES = ("stock.insufficient", "line.unavailable", "price.changed")


@command
def checkout_open(*, cart_id: int, user: User | None = None, actor: Actor) -> CheckoutRecord:
    """The cart's record, made at the first call, filled in with what the user has told before.

    Locks the cart. Raises NotFound `cart.unknown`, Conflict `cart.placed`.
    """
    return _record(lock_open_cart(cart_id), user)


@command
def checkout_update(
    *,
    cart_id: int,
    answers: Mapping[str, str] | None = None,
    delivery_methods: Mapping[int, int] | None = None,
    actor: Actor,
) -> CheckoutRecord:
    """Keeps what the shopper answers, all of it or nothing; what is not given stays as it was.

    `answers` are some of `orders.addresses.FIELDS`; `delivery_methods` maps every merchant that
    has several ways to the chosen one. The record is made where there is none.
    Locks the cart. Raises NotFound `cart.unknown`, Conflict `cart.placed`, Invalid
    `checkout.invalid` with a problem per field as `errors`.
    """
    record = _record(lock_open_cart(cart_id), None)
    problems = _answer(record, answers or {})
    if delivery_methods is not None:
        problems += _choose(record, delivery_methods)
    if problems:
        raise _invalid(problems)
    record.save()
    return record


def checkout_complete(
    *,
    token: str,
    expected_total_minor: int,
    actor: Actor,
    expected_currency: str = "",
    channel: Channel = Channel.WEB,
    session_key: str = "",
) -> OrderGroup:
    """Places the checkout's cart for the customer of its e-mail; sent twice, the same group.

    `expected_total_minor` is the total that the shopper saw, in that currency; a merchant whose way of delivery was
    not chosen delivers by its first. Locks the cart, at the end the stock
    rows. Emits as `order_group_place`.
    Raises NotFound `checkout.unknown`, Invalid `checkout.invalid` where answers are missing, and
    the refusals of `order_group_place`; both with the sentences of the catalogue as `errors`.
    """
    try:
        return _complete(
            token=token,
            expected_total_minor=expected_total_minor,
            expected_currency=expected_currency,
            channel=channel,
            session_key=session_key,
            actor=actor,
        )
    except DomainError as refusal:
        raise _told(refusal, token) from refusal


@command
def _complete(
    *,
    token: str,
    expected_total_minor: int,
    expected_currency: str,
    channel: Channel,
    session_key: str,
    actor: Actor,
) -> OrderGroup:
    cart = lock_cart_of_checkout(token)
    record = CheckoutRecord.objects.get(cart=cart)
    answers = answers_of(record)
    if problems := problems_of(answers):
        raise _invalid(problems)
    checkout = Checkout(
        token=token,
        expected_total_minor=expected_total_minor,
        expected_currency=expected_currency,
        shipping_address={name: answers[name] for name in ("name", "phone", *ADDRESS)},
        delivery_methods=chosen_methods(record),
        channel=channel,
        session_key=session_key,
    )
    customer = customer_for_email(email=record.email, name=record.name)
    return group_place(cart=cart, checkout=checkout, customer=customer, actor=actor)


def _record(cart: Cart, user: User | None) -> CheckoutRecord:
    record = checkout_of_cart(cart, user)
    if not record.pk:
        record.save()
    return record


def _answer(record: CheckoutRecord, given: Mapping[str, str]) -> list[Problem]:
    """Puts the answers into the record; what is wrong with them."""
    names = {name for name in FIELDS if name in given}
    if "country" in names:
        names.add("postcode")  # it is the country that says what a postcode is
    answers = tidied(answers_of(record) | {name: given[name] for name in names & given.keys()})
    for name in CONTACT:
        setattr(record, name, answers[name])
    record.address = {name: answers[name] for name in ADDRESS}
    return problems_of(answers, names)


def _choose(record: CheckoutRecord, methods: Mapping[int, int]) -> list[Problem]:
    """Puts the ways of delivery into the record; what is wrong with them."""
    parts = lines_by_merchant(basket_lines(record.cart))
    offered = offers(parts.keys())
    chosen: dict[str, str] = {}
    problems = []
    for merchant_id, lines in parts.items():
        ids = {offer.method_id for offer in offered.get(merchant_id, [])}
        facts, where = {"merchant": lines[0].sku.merchant.name}, f"delivery_{merchant_id}"
        if merchant_id not in methods and len(ids) > 1:
            problems.append(Problem("delivery.none_selected", where, facts))
        elif merchant_id in methods and methods[merchant_id] not in ids:
            problems.append(Problem("delivery.method_unknown", where, facts))
        elif merchant_id in methods:
            chosen[str(merchant_id)] = str(methods[merchant_id])
    record.delivery_methods = chosen
    return problems


def _invalid(problems: list[Problem]) -> DomainError:
    return refuse(Invalid, "checkout.invalid", _("Some answers are missing or wrong."), problems)


def _told(refusal: DomainError, token: str) -> DomainError:
    """The refusal with the catalogue's sentences, read after everything was rolled back."""
    if "errors" in refusal.facts:
        return refusal
    if refusal.code in ABOUT_LINES:
        problems = _line_problems(refusal, checkout_of_token(token).cart)
    elif refusal.code in ("delivery.unavailable", "delivery.method_unknown"):
        problems = _delivery_problems(refusal, checkout_of_token(token).cart)
    else:
        return refusal
    refusal.facts["errors"] = [problem.as_fact() for problem in problems]
    return refusal


def _line_problems(refusal: DomainError, cart: Cart) -> list[Problem]:
    """What the refusal says of each line, and of the total.

    Of the stock only the refusal knows: inside a carrier's transaction the counters still hold what
    this order has just taken.
    """
    lines = list(basket_lines(cart))
    left = {line.sku_id: line.quantity for line in lines}
    for short in refusal.facts.get("lines", []):
        left[int(short["sku_id"])] = short.get("available", 0)
    problems = [problem for line in lines if (problem := line_problem(line, left[line.sku_id]))]
    if isinstance(total_minor := refusal.facts.get("total_minor"), int):
        facts = {"new": amount(total_minor, cart.currency)}
        problems.append(Problem("order.total_changed", "total", facts))
    return problems


def _delivery_problems(refusal: DomainError, cart: Cart) -> list[Problem]:
    merchant_id = int(refusal.facts["merchant_id"])
    lines = lines_by_merchant(basket_lines(cart)).get(merchant_id, [])
    facts = {"merchant": lines[0].sku.merchant.name if lines else ""}
    return [Problem(refusal.code, f"delivery_{merchant_id}", facts)]
