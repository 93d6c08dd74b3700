"""How a payment looks to integrators. What a channel needs of us, and its references, stay here.

Starting one is the orders' to do: `/payments` stands in `orders/api/payments.py`.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api import Id, MoneyOf, Serializer, StateIs, Time
from payments.models import Attempt, Payment
from payments.states import ATTEMPT, PAYMENT

# What to tell the shopper to do; a code that is not here was no fault of theirs.
ADVICE = {
    "refused": "use_other_method",
    "insufficient_funds": "use_other_method",
    "challenge_failed": "contact_bank",
    # Stripe's; a shopper on its hosted page corrects the card there.
    "generic_decline": "use_other_method",
    "do_not_honor": "use_other_method",
    "authentication_required": "contact_bank",
    "expired_card": "use_other_method",
    "incorrect_cvc": "use_other_method",
    "incorrect_number": "use_other_method",
    "amount_not_possible": "use_other_method",
}


class NextActionOut(Serializer):
    """Where to send the shopper's browser now."""

    redirect_url = serializers.CharField()


class FailureOut(Serializer):
    """Why a channel said no, and what helps."""

    code = serializers.CharField()
    advice = serializers.ChoiceField(choices=sorted({*ADVICE.values(), "try_again"}))


class AttemptOut(Serializer):
    """One try at a channel."""

    id = Id()
    channel = serializers.CharField()
    state = StateIs(ATTEMPT.names, source="status")
    state_changed_at = Time(source="status_changed_at")
    next_action = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()

    @extend_schema_field(NextActionOut(allow_null=True))
    def get_next_action(self, attempt: Attempt) -> dict[str, str] | None:
        waits = attempt.status == "requires_action" and attempt.action_url
        return {"redirect_url": attempt.action_url} if waits else None

    @extend_schema_field(FailureOut(allow_null=True))
    def get_failure(self, attempt: Attempt) -> dict[str, str] | None:
        if attempt.status != "failed":
            return None
        code = attempt.failure_code or "unknown"
        return {"code": code, "advice": ADVICE.get(code, "try_again")}


class PaymentOut(Serializer):
    """The money of an order group. `next_action` and `failure` are those of the newest attempt."""

    id = Id()
    order_group_id = Id(source="reference")
    state = StateIs(PAYMENT.names, source="status")
    state_changed_at = Time(source="status_changed_at")
    amount = MoneyOf("amount_minor")
    captured = MoneyOf("captured_minor")
    refunded = MoneyOf("refunded_minor")
    attempts = serializers.SerializerMethodField()
    next_action = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()

    @extend_schema_field(AttemptOut(many=True))
    def get_attempts(self, payment: Payment) -> Any:
        return AttemptOut(self._attempts(payment), many=True).data

    @extend_schema_field(NextActionOut(allow_null=True))
    def get_next_action(self, payment: Payment) -> Any:
        return self._newest(payment, "next_action")

    @extend_schema_field(FailureOut(allow_null=True))
    def get_failure(self, payment: Payment) -> Any:
        return self._newest(payment, "failure")

    def _newest(self, payment: Payment, member: str) -> Any:
        for attempt in self._attempts(payment)[-1:]:
            return AttemptOut(attempt).data[member]
        return None

    def _attempts(self, payment: Payment) -> list[Attempt]:
        """Read once, for they come with the payment."""
        return sorted(payment.attempts.all(), key=lambda attempt: attempt.id)
