"""`/payments`: a try at a channel is started here; what became of it is told by events."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from core.api import ApiView, Id, Serializer, Text, id_from, not_found, operation, parsed
from core.errors import Invalid
from core.ids import gene_of
from core.money import LARGEST_MINOR
from orders.api.access import own_group
from orders.links import link_url
from orders.models import OrderGroup
from orders.services.pay import payment_start, payment_start_with_credit
from orders.tasks import ask_if_expired
from payments.api import PaymentOut
from payments.models import Payment
from payments.selectors import channel_payment

TAG = "payments"


class PaymentIn(Serializer):
    """How it shall be paid. `token` names what the channel knows of the means of payment."""

    order_group_id = Id()
    channel = Text(max_length=30)
    token = Text(max_length=100, required=False, default="", allow_blank=True)
    store_credit_minor = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=LARGEST_MINOR,
        help_text="So much is paid with the shopper's store credit first, in minor units.",
    )
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
            lambda: _started(request, group, given, return_url),
            lambda payment: shown_payment(payment.pk),
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


def _started(
    request: Request, group: OrderGroup, given: dict[str, Any], return_url: str
) -> Payment:
    """The payment that the channel is asked for; of store credit only who is known has any."""
    asked = {
        "group_id": group.pk,
        "channel": given["channel"],
        "token": given["token"],
        "return_url": return_url,
        "actor": caller(request).actor,
    }
    if not given["store_credit_minor"]:
        return payment_start(**asked).payment
    shopper = caller(request).shopper
    owner = shopper.customer if shopper else None
    payment_start_with_credit(
        **asked,
        store_credit_minor=given["store_credit_minor"],
        owner_id=owner.pk if owner else None,
    )
    return channel_payment(Payment.objects.filter(reference=group.pk, shard_key=group.shard_key))


def _address(payment: Payment) -> str:
    return reverse("api:payment", args=[payment.pk])


def _return_url(request: Request, address: str) -> str:
    """A shop front may have pages elsewhere; a browser comes back here, wherever it was sent from."""
    inside = address.startswith(f"{settings.PUBLIC_URL}/")
    foreign = caller(request).shopper is None and address.startswith(("https://", "http://"))
    if not inside and not foreign:
        message = _("This is no address to come back to.")
        raise Invalid("validation", message, fields={"return_url": [message]})
    return address
