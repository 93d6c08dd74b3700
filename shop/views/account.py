"""A login's own pages: its orders and its addresses."""

from collections.abc import Mapping
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import addresses as book
from accounts.addresses import FIELDS
from accounts.models import Address, Customer, User
from accounts.selectors import address_of, addresses_of, linked_customer, verified_customer
from core import clock
from core.countries import countries_by_name
from core.errors import DomainError, NotFound
from orders.addresses import address_lines, problems_of, tidied
from orders.links import link_path
from orders.selectors import group_of_customer, groups_of_customer
from payments.selectors import credit_entries_of, credits_of
from shop.pages import see_other
from shop.parse import as_number
from shop.session import buyer_of, customer_of
from shop.words import entry

PER_PAGE = 20
# What changed store credit, as its owner reads it.
KINDS = {
    "issued": gettext_lazy("Given to you"),
    "spent": gettext_lazy("Paid with"),
    "returned": gettext_lazy("Back from an order"),
}


@never_cache
@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """The orders of the login's proved address, the newest first."""
    customer = verified_customer(user=_user(request))
    before = as_number(request.GET.get("before", ""))
    groups = (
        groups_of_customer(customer=customer, before=before, most=PER_PAGE + 1) if customer else []
    )
    moment = clock.now()
    context = {
        "customer": customer,
        "entries": [entry(group, moment) for group in groups[:PER_PAGE]],
        "before": groups[PER_PAGE - 1].pk if len(groups) > PER_PAGE else None,
    }
    return render(request, "shop/account/orders.html", context)


@never_cache
@login_required
@require_safe
def order(request: HttpRequest, number: str) -> HttpResponse:
    """To the order's own page, if the order is the login's."""
    customer = verified_customer(user=_user(request))
    group = group_of_customer(customer=customer, number=number) if customer else None
    if group is None:
        raise NotFound("order.unknown", _("There is no such order."))
    return see_other(link_path(group))


@never_cache
@login_required
@require_safe
def credit(request: HttpRequest) -> HttpResponse:
    """The store credit of the login's proved address, and how it came to be."""
    customer = verified_customer(user=_user(request))
    before = as_number(request.GET.get("before", ""))
    whose = {"customer_id": customer.pk, "shard_key": customer.shard_key} if customer else None
    entries = credit_entries_of(**whose, before=before, most=PER_PAGE + 1) if whose else []
    context = {
        "customer": customer,
        "accounts": credits_of(**whose) if whose else [],
        "entries": [(row, KINDS[row.kind]) for row in entries[:PER_PAGE]],
        "before": entries[PER_PAGE - 1].pk if len(entries) > PER_PAGE else None,
    }
    return render(request, "shop/account/credit.html", context)


@never_cache
@login_required
@require_safe
def addresses(request: HttpRequest) -> HttpResponse:
    """The address book."""
    customer = linked_customer(user=_user(request))
    rows = addresses_of(customer_id=customer.pk) if customer else []
    entries = [(row, address_lines(_fields(row))) for row in rows]
    return render(request, "shop/account/addresses.html", {"entries": entries})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def address_add(request: HttpRequest) -> HttpResponse:
    """A new address."""
    if request.method != "POST":
        return _form(request, {}, {})
    customer = customer_of(request)
    if customer is None:
        raise NotFound("customer.unknown", _("There is no such address book."))
    fields, errors = _answers(request)
    if errors:
        return _form(request, fields, errors)
    try:
        book.address_add(customer_id=customer.pk, fields=fields, actor=buyer_of(request))
    except DomainError as refusal:
        return _form(request, fields, {"name": str(refusal.message)})
    return see_other("shop:addresses")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def address_edit(request: HttpRequest, address_id: int) -> HttpResponse:
    """Other words for an address."""
    customer = _customer(request)
    address = address_of(customer_id=customer.pk, address_id=address_id)
    if request.method != "POST":
        return _form(request, _fields(address), {}, address_id)
    fields, errors = _answers(request)
    if errors:
        return _form(request, fields, errors, address_id)
    book.address_change(
        customer_id=customer.pk, address_id=address_id, fields=fields, actor=buyer_of(request)
    )
    return see_other("shop:addresses")


@login_required
@require_POST
def address_delete(request: HttpRequest, address_id: int) -> HttpResponse:
    """Forgets an address."""
    customer_id = _customer(request).pk
    book.address_delete(customer_id=customer_id, address_id=address_id, actor=buyer_of(request))
    return see_other("shop:addresses")


@login_required
@require_POST
def address_default(request: HttpRequest, address_id: int) -> HttpResponse:
    """This one is offered first."""
    customer_id = _customer(request).pk
    book.address_use_first(customer_id=customer_id, address_id=address_id, actor=buyer_of(request))
    return see_other("shop:addresses")


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _customer(request: HttpRequest) -> Customer:
    customer = linked_customer(user=_user(request))
    if customer is None:
        raise NotFound("address.unknown", _("There is no such address."))
    return customer


def _answers(request: HttpRequest) -> tuple[dict[str, str], dict[str, str]]:
    """What was typed, put in order, and what is wrong with it by field."""
    fields = tidied({name: request.POST.get(name, "") for name in FIELDS})
    problems = problems_of(fields, FIELDS)
    return fields, {problem.field: problem.message for problem in problems}


def _fields(address: Address) -> dict[str, str]:
    return {name: str(getattr(address, name)) for name in FIELDS}


def _form(
    request: HttpRequest,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
    address_id: int | None = None,
) -> HttpResponse:
    context = {
        "fields": fields,
        "errors": errors,
        "address_id": address_id,
        "countries": countries_by_name(),
    }
    status = 422 if errors else 200
    return render(request, "shop/account/address_form.html", context, status=status)
