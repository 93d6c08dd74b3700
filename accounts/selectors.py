"""Reads of people. Nothing here writes or locks."""

from allauth.account.models import EmailAddress
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Address, Customer, User
from core.errors import NotFound


def linked_customer(*, user: User) -> Customer | None:
    """The user's customer; None where the user has not needed one yet."""
    return Customer.objects.filter(user=user).first()


def verified_customer(*, user: User) -> Customer | None:
    """The user's customer, where the user has proved to own its e-mail address; else None.

    Orders are shown by this one only: a customer is linked by an address that anybody may type.
    """
    proven = EmailAddress.objects.filter(user=user, verified=True).values("email")
    return Customer.objects.filter(user=user, email__in=proven).first()


def address_of(*, customer_id: int, address_id: int) -> Address:
    """The customer's address. Raises NotFound `address.unknown`."""
    address = Address.objects.filter(pk=address_id, customer_id=customer_id).first()
    if address is None:
        raise NotFound("address.unknown", _("There is no such address."), id=str(address_id))
    return address


def addresses_of(*, customer_id: int) -> QuerySet[Address]:
    """The customer's addresses, the one to use first at the head."""
    return Address.objects.filter(customer_id=customer_id).order_by("-is_default", "pk")
