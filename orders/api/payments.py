"""`/payments`: a try at a channel is started here; what became of it is told by events."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from core.api import ApiView, Id, Serializer, Text, id_from, not_found, operation, parsed
from core.errors import Invalid
from core.ids import gene_of
from orders.api.access import own_group
from orders.links import link_url
from orders.services.pay import payment_start
from orders.tasks import ask_if_expired
from payments.api import PaymentOut
from payments.models import Attempt, Payment

TAG = "payments"


class PaymentIn(Serializer):
    """How it shall be paid. `token` names what the channel knows of the means of payment."""

    order_group_id = Id()
    channel = Text(max_length=30)
    token = Text(max_length=100, required=False, default="", allow_blank=True)
    return_url = Text(
        max_length=500,
        required=False,
        help_text="Where the channel sends the shopper back; the order's page where it is absent.",
    )


def shown_payment(payment_id: int) -> Any:
    """The payment with its attempts; two queries."""
    payment = Payment.objects.prefetch_related("attempts").get(
        pk=payment_id, shard_key=gene_of(payment_id)
    )
    return PaymentOut(payment).data


class Payments(ApiView):
    """Where a try begins."""

    scopes = {"POST": "payments:write"}

    @operation(
        "Start a payment",
        tag=TAG,
        answer=PaymentOut,
        status=201,
        body=PaymentIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request) -> Response:
        """Starts one try at a channel; read the payment again until it names a next action."""
        given = parsed(PaymentIn, request)
        group = own_group(request, given["order_group_id"])
        return_url = _return_url(request, given.get("return_url") or link_url(group))
        response = self.keyed(
            request,
            lambda: payment_start(
                group_id=group.pk,
                channel=given["channel"],
                token=given["token"],
                return_url=return_url,
                actor=caller(request).actor,
            ),
            lambda attempt: shown_payment(attempt.payment_id),
            status=201,
            location=_address,
        )
        ask_if_expired(response.data.get("code", ""), group.pk)
        return response


class PaymentDetail(ApiView):
    """One payment."""

    scopes = {"GET": "payments:write"}

    @operation("Get a payment", tag=TAG, answer=PaymentOut, problems=[404])
    def get(self, request: Request, payment_id: str) -> Response:
        """The payment, where to send the shopper, or why a channel said no."""
        number = id_from(payment_id)
        payment = Payment.objects.filter(pk=number, shard_key=gene_of(number)).first()
        if payment is None:
            raise not_found()
        own_group(request, payment.reference)
        return Response(shown_payment(number))


def _address(attempt: Attempt) -> str:
    return reverse("api:payment", args=[attempt.payment_id])


def _return_url(request: Request, address: str) -> str:
    """A shop front may have pages elsewhere; a browser comes back here, wherever it was sent from."""
    inside = address.startswith(f"{settings.PUBLIC_URL}/")
    foreign = caller(request).shopper is None and address.startswith(("https://", "http://"))
    if not inside and not foreign:
        message = _("This is no address to come back to.")
        raise Invalid("validation", message, fields={"return_url": [message]})
    return address
