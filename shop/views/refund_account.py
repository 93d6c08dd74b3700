"""Behind an order's signed link: where to send money for which no account of the buyer is known."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from core.errors import Conflict, Denied, Invalid, NotFound
from orders.links import group_of_link, link_path
from orders.selectors.transfers import undirected_transfers
from orders.sentences import amount
from payments.models import ManualTransfer
from payments.services.transfer import transfer_direct
from shop.errors import PageError
from shop.pages import of_link, page, see_other
from shop.views.order import buyer_of

FIELDS = {"transfer.holder": "holder", "transfer.iban": "iban"}


@of_link
def refund_account(request: HttpRequest, number: str, key: str, transfer_id: int) -> HttpResponse:
    """Asks for holder and IBAN, once; they are shown nowhere again."""
    group = group_of_link(number=number, key=key)
    transfer = _transfer(undirected_transfers(group), transfer_id)
    given = {name: request.POST.get(name, "") for name in FIELDS.values()}
    errors: list[PageError] = []
    if request.method == "POST":
        try:
            transfer_direct(transfer_id=transfer.pk, actor=buyer_of(group), **given)
        except Invalid as refusal:
            errors = [PageError(str(refusal.message), FIELDS[refusal.code], refusal.code)]
        except (Conflict, Denied) as refusal:  # somebody was quicker
            messages.warning(request, str(refusal.message))
            return see_other(link_path(group))
        else:
            messages.success(request, _("Thank you. We send the money there."))
            return see_other(link_path(group))
    context = {
        "group": group,
        "back": amount(transfer.amount_minor, transfer.currency),
        "link": link_path(group),
        "given": given,
        "wrong": {error.field: error.message for error in errors},
    }
    return page(request, "shop/order/refund_account.html", context, errors)


def _transfer(transfers: list[ManualTransfer], transfer_id: int) -> ManualTransfer:
    """The one of these. Raises NotFound where it is another's, or its account is known."""
    for transfer in transfers:
        if transfer.pk == transfer_id:
            return transfer
    raise NotFound("transfer.unknown", _("There is no such transfer."))
