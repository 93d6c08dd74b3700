"""Whether an order can be paid at the door."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from core.errors import Invalid
from core.money import Money
from orders import states
from orders.models import OrderGroup


def cash_refusal(group: OrderGroup) -> Invalid | None:
    """Why a group can't be paid at the door, by its amount or its merchants; None where it can."""
    most_minor = int(settings.CASH_ON_DELIVERY_MOST.get(group.currency, 0))
    if group.payable_minor > most_minor:
        most = Money(most_minor, group.currency)
        return Invalid(
            "payment.cash_too_much",
            _("At most %(most)s can be paid at the door.")
            % {"most": f"{most.decimal_text()} {most.currency}"},
            most_minor=most_minor,
        )
    live = group.orders.exclude(status=states.CANCELLED)
    sellers = Merchant.objects.filter(pk__in=live.values("merchant_id"), accepts_cash=False)
    if refusing := list(sellers.order_by("pk").values_list("name", flat=True)):
        return Invalid(
            "payment.cash_not_accepted",
            _("%(merchants)s can’t be paid at the door.") % {"merchants": ", ".join(refusing)},
            merchants=refusing,
        )
    return None
