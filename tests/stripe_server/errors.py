"""Refusals in Stripe's shape."""

from typing import Any


class ApiError(Exception):
    """Answered with its HTTP status and the object that Stripe's libraries read."""

    def __init__(self, status: int, type_: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": {"type": type_, "message": message, **members}}


def invalid(message: str, param: str = "", code: str = "") -> ApiError:
    members = {name: value for name, value in (("param", param), ("code", code)) if value}
    return ApiError(400, "invalid_request_error", message, **members)


def missing(kind: str, identifier: str, param: str = "id", status: int = 404) -> ApiError:
    return ApiError(
        status,
        "invalid_request_error",
        f"No such {kind}: '{identifier}'",
        code="resource_missing",
        param=param,
    )


def unexpected_state(intent: dict[str, Any], verb: str) -> ApiError:
    return ApiError(
        400,
        "invalid_request_error",
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def declined(intent: dict[str, Any], decline_code: str) -> ApiError:
    return ApiError(
        402,
        "card_error",
        "Your card was declined.",
        code="card_declined",
        decline_code=decline_code,
        payment_intent=intent,
    )
