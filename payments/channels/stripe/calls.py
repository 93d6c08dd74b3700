"""Calls to Stripe: the connection, what its errors mean to us, its lists page by page."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

import requests
import stripe
from django.conf import settings

from core.parallel import limit
from payments.channels.base import NOT_FOUND, ChannelDown, ChannelRefused
from payments.channels.stripe.objects import Object

R = TypeVar("R")

TIMEOUT_SECONDS = 10
PAGE = 100  # the most that Stripe lists at once


class _Session(requests.Session):
    """Waits no longer than the part of a page that asks has time."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        return super().request(*args, **{**options, "timeout": limit(TIMEOUT_SECONDS)})


@cache
def client() -> stripe.StripeClient:
    """One per process, made at its first call: never shared across a fork. The outbox retries."""
    return stripe.StripeClient(
        settings.STRIPE_API_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=0,
        http_client=stripe.RequestsClient(session=_Session()),
    )


def call(ask: Callable[[stripe.StripeClient], Any]) -> Object:
    """What Stripe answers, as a plain object."""
    return _speaking(lambda: dict(ask(client()).to_dict()))


def listed(lister: Callable[[stripe.StripeClient], Any], given: Object) -> Iterator[Object]:
    """All that Stripe lists, page by page."""
    page = _speaking(lambda: lister(client()).list({"limit": PAGE, **given}))
    while True:
        for each in page.data:
            yield each.to_dict()
        if not page.has_more:
            return
        after = page.data[-1].id
        page = _speaking(
            lambda: lister(client()).list({"limit": PAGE, "starting_after": after, **given})  # noqa: B023 called at once
        )


def _speaking(ask: Callable[[], R]) -> R:
    """Raises ChannelRefused for what Stripe will never do, ChannelDown for all that may pass.

    A key that Stripe does not take is the operator's trouble: no payment may fail of it.
    """
    try:
        return ask()
    except stripe.CardError as error:
        raise _refusal(error) from error
    except stripe.IdempotencyError as error:
        raise ChannelRefused("key_reused") from error
    except stripe.InvalidRequestError as error:
        raise _refusal(error) from error
    except stripe.StripeError as error:
        raise ChannelDown(repr(error)) from error


def _refusal(error: stripe.StripeError) -> ChannelRefused:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    told: Object = body.get("error", {})
    code = str(told.get("decline_code") or told.get("code") or "invalid_request")
    facts = {name: told[name] for name in ("payment_intent", "param") if told.get(name)}
    return ChannelRefused(NOT_FOUND if code == "resource_missing" else code, **facts)
