"""The error catalogue: one code per cause, one sentence per code, for pages and for the API.

A `Problem` names the field or the line that it is about, so that a page can link to it and an API
can point at it. A code that the catalogue does not have keeps the sentence of its refusal.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.money import Money

SENTENCES: dict[str, str | Promise] = {
    "email.empty": _("Enter your email address"),
    "email.format": _("Enter an email address in the correct format, like name@example.com"),
    "name.empty": _("Enter your full name"),
    "name.too_long": _("Full name must be %(most)s characters or less"),
    "address_line1.empty": _("Enter address line 1, typically the building and street"),
    "town.empty": _("Enter a town or city"),
    "country.empty": _("Select a country"),
    "country.unknown": _("Select a country from the list"),
    "postcode.empty": _("Enter a postcode"),
    "postcode.country": _("Enter a full %(country)s postcode"),
    "phone.format": _("Enter a phone number, like 07700 900 982 or +44 7700 900 982"),
    "text.too_long": _("%(label)s must be %(most)s characters or less"),
    "delivery.none_selected": _("Select how %(merchant)s should deliver your items"),
    "delivery.method_unknown": _(
        "%(merchant)s no longer offers this way of delivery. Select another"
    ),
    "delivery.unavailable": _("%(merchant)s can’t deliver these items. Remove them to continue"),
    "line.price_changed": _(
        "The price of %(item)s changed from %(old)s to %(new)s since you added it."
        " Check the new total before you continue"
    ),
    "line.stock_short": _(
        "Only %(left)s of %(item)s left. Change your quantity from %(old)s to continue"
    ),
    "line.gone": _("%(item)s is sold out. Remove it to continue"),
    "line.other_currency": _("%(item)s is sold in another currency than your basket"),
    "refill.gone": _("%(item)s is sold out. It is not in your basket"),
    "refill.short": _("Only %(left)s of %(item)s left. You had ordered %(old)s"),
    "refill.price_changed": _("The price of %(item)s changed from %(old)s to %(new)s"),
    "voucher.unknown": _("We do not recognise this voucher code"),
    "voucher.stopped": _("This voucher can no longer be used"),
    "voucher.not_yet": _("This voucher can be used from %(date)s"),
    "voucher.expired": _("This voucher ended on %(date)s"),
    "voucher.used_up": _("This voucher has been used up"),
    "voucher.used_by_you": _("You have used this voucher already"),
    "voucher.currency": _(
        "This voucher is for goods sold in %(currency)s, and your basket is in %(cart_currency)s"
    ),
    "voucher.no_goods": _(
        "This voucher is for goods from %(merchant)s. There are none in your basket"
    ),
    "voucher.empty_basket": _("Put something into your basket before you add a voucher"),
    "voucher.minimum": _("Spend %(amount)s more to use this voucher"),
    "voucher.minimum_at": _("Spend %(amount)s more at %(merchant)s to use this voucher"),
    "order.nothing_to_pay": _(
        "This voucher would leave nothing to pay. Add something to your basket to use it"
    ),
    "order.total_changed": _("The total is now %(new)s. Check it and place the order again"),
    "payment.refused_try_other": _(
        "Your bank did not accept this payment. You have not been charged."
        " Try another payment method"
    ),
    "payment.contact_bank": _(
        "Your bank could not confirm that it is you. You have not been charged."
        " Ask your bank, or try another payment method"
    ),
    "payment.check_details": _("Check the card number, expiry date and security code"),
    "payment.other_method": _("This amount can’t be paid in this way. Try another payment method"),
    "payment.try_again": _(
        "The payment service did not answer. You have not been charged. Try again"
    ),
    "payment.unknown": _(
        "We are waiting for your bank. Do not pay again."
        " This page updates itself; we will also email you"
    ),
    "payment.expired": _(
        "The time to pay ended at %(time)s. You have not been charged and the items were released"
    ),
    "payment.none_selected": _("Select how you want to pay"),
    "payment.attempt_open": _("A payment is being made already. Wait for its outcome"),
    "cancel.quantity": _("Enter how many of %(item)s to cancel, between 0 and %(most)s"),
    "cancel.too_late": _(
        "%(merchant)s has already packed this. You can ask to cancel, or return it after delivery"
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and the facts that its sentence names, as text."""

    code: str
    field: str = ""
    facts: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence of the catalogue, in the reader's language."""
        return str(SENTENCES[self.code]) % self.facts

    def as_fact(self) -> dict[str, Any]:
        """The same as a member of a refusal's `errors`, in plain text that JSON can carry."""
        return {"code": self.code, "field": self.field, "message": self.message, **self.facts}


def amount(amount_minor: int, currency: str) -> str:
    """An amount as people read it: 95.00 EUR."""
    return f"{Money(amount_minor, currency).decimal_text()} {currency}"


def refuse(
    kind: type[DomainError], code: str, message: str | Promise, problems: Sequence[Problem]
) -> DomainError:
    """A refusal that carries its problems as `errors`, one by one."""
    return kind(code, message, errors=[problem.as_fact() for problem in problems])
