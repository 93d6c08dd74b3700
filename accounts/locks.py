"""The locks of this app. A merchant is locked before its members, a customer before its addresses."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Customer, Merchant
from accounts.permissions import own
from core.errors import NotFound
from core.locks import locked


def lock_merchant(merchant_id: int, *, actor: Actor) -> Merchant:
    """The locked merchant. Raises NotFound where there is none, or not for this actor."""
    rows = locked(own(Merchant.objects.filter(pk=merchant_id), actor=actor, field="pk"))
    if not rows:
        raise NotFound("merchant.unknown", _("There is no such merchant."), id=str(merchant_id))
    return rows[0]


def lock_customer(customer_id: int) -> Customer:
    """The locked customer. Raises NotFound."""
    for customer in locked(Customer.objects.filter(pk=customer_id)):
        return customer
    raise NotFound("customer.unknown", _("There is no such customer."), id=str(customer_id))
