"""A customer's address book."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.locks import lock_customer
from accounts.models import Address
from accounts.rows import valid
from accounts.selectors import address_of
from core.command import command
from core.errors import Conflict

MOST_ADDRESSES = 50
FIELDS = ("name", "line1", "line2", "postcode", "city", "region", "country", "phone")


@command
def address_add(*, customer_id: int, fields: Mapping[str, str], actor: Actor) -> Address:
    """A new address; the first one is used first. Locks the customer.

    Raises NotFound `customer.unknown`, Invalid `address.invalid`, Conflict `address.too_many`.
    """
    customer = lock_customer(customer_id)
    known = customer.addresses.count()
    if known >= MOST_ADDRESSES:
        raise Conflict("address.too_many", _("The address book is full."), most=MOST_ADDRESSES)
    address = valid(Address(customer=customer, is_default=known == 0, **fields))
    address.save(force_insert=True)
    return address


@command
def address_change(
    *, customer_id: int, address_id: int, fields: Mapping[str, str], actor: Actor
) -> Address:
    """Other words for an address; orders keep their own copy. Locks the customer.

    Raises NotFound `customer.unknown`, `address.unknown`, Invalid `address.invalid`.
    """
    address = _address(customer_id, address_id)
    for name, value in fields.items():
        setattr(address, name, value)
    valid(address).save(update_fields=list(fields))
    return address


@command
def address_delete(*, customer_id: int, address_id: int, actor: Actor) -> None:
    """Forgets an address; quiet where it is gone. If it was used first, the oldest is from now on.

    Locks the customer. Raises NotFound `customer.unknown`.
    """
    customer = lock_customer(customer_id)
    customer.addresses.filter(pk=address_id).delete()
    left = customer.addresses.order_by("pk")
    if left and not left.filter(is_default=True).exists():
        left.filter(pk=left[0].pk).update(is_default=True)


@command
def address_use_first(*, customer_id: int, address_id: int, actor: Actor) -> None:
    """This address is offered before the others. Locks the customer.

    Raises NotFound `customer.unknown`, `address.unknown`.
    """
    address = _address(customer_id, address_id)
    Address.objects.filter(customer_id=customer_id, is_default=True).update(is_default=False)
    Address.objects.filter(pk=address.pk).update(is_default=True)


def _address(customer_id: int, address_id: int) -> Address:
    lock_customer(customer_id)
    return address_of(customer_id=customer_id, address_id=address_id)
