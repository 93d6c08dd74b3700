"""The carrier of the demo and the tests: an HTTP process with a book of its own."""

from functools import cache
from http import HTTPStatus

import httpx
from django.conf import settings

from core.parallel import limit
from delivery.carriers.base import CarrierDown, CarriersWord, Label

TIMEOUT_SECONDS = 5


@cache
def client() -> httpx.Client:
    """One per process, made at its first use: after the worker has forked."""
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)


class SandboxCarrier:
    """Books at `SANDBOX_CARRIER_URL`; its scans come to `delivery/webhooks.py`."""

    name = "sandbox"

    def parcel_book(self, *, key: str) -> Label:
        try:
            answer = client().post(f"{settings.SANDBOX_CARRIER_URL}/parcels", json={"key": key})
            return Label(tracking_number=answer.raise_for_status().json()["tracking_number"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise CarrierDown(f"the sandbox did not book parcel {key}") from error

    def parcel_query(self, *, key: str) -> CarriersWord | None:
        try:
            url = f"{settings.SANDBOX_CARRIER_URL}/parcels/{key}"
            answer = client().get(url, timeout=limit(TIMEOUT_SECONDS))
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            parcel = answer.raise_for_status().json()
            last = parcel["scans"][-1]["at"] if parcel["scans"] else ""
            return CarriersWord(parcel["status"], parcel["tracking_number"], last)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise CarrierDown(f"the sandbox did not answer for parcel {key}") from error
