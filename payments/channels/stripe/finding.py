"""Finding what was made at Stripe under a key of ours.

Stripe forgets idempotency keys after a day, answers a stored failure again until then, and its
search lags behind its writes. Its lists do not, and our keys tell when they were made: so what
became of a key is found by listing from that moment on.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from core.ids import decode
from payments.channels.base import NOT_FOUND, ChannelDown, ChannelRefused
from payments.channels.stripe.calls import call, listed
from payments.channels.stripe.objects import KEY, SESSION, Object

# By then nearly all that was asked for under a key is made.
SOON = timedelta(minutes=10)
SKEW = timedelta(minutes=1)


def moment_of(key: str) -> datetime:
    """When our key was made. Raises ChannelRefused `not_found` for one that is none of ours."""
    number = key.partition(".")[0]
    try:
        return decode(int(number)).at
    except ValueError:
        raise ChannelRefused(NOT_FOUND) from None


def is_old(key: str) -> bool:
    return datetime.now(UTC) - moment_of(key) > SOON


def once(key: str, make: Callable[[], Object], look: Callable[[str], Object | None]) -> Object:
    """What is made under a key, or was made before; also where Stripe failed after it had acted."""
    if is_old(key) and (known := look(key)):
        return known
    try:
        return make()
    except ChannelDown:
        if known := look(key):
            return known
        raise


def find(key: str) -> Object | None:
    """The hosted page or the intent of a key; the page first, for its intent bears the key too."""
    sessions = {"expand": ["data.payment_intent"]}
    for created in _times(key):
        for given, lister in (
            (sessions, lambda client: client.v1.checkout.sessions),
            ({}, lambda client: client.v1.payment_intents),
        ):
            for each in listed(lister, {"created": created, **given}):
                if each["metadata"].get(KEY) == key:
                    return each
    return None


def find_refund(key: str) -> Object | None:
    for created in _times(key):
        for each in listed(lambda client: client.v1.refunds, {"created": created}):
            if (each["metadata"] or {}).get(KEY) == key:
                return each
    return None


def _times(key: str) -> Iterator[dict[str, int]]:
    """Where to look for what a key made: in the first minutes, nearly always; then ever since."""
    began = moment_of(key)
    soon = int((began + SOON).timestamp())
    yield {"gte": int((began - SKEW).timestamp()), "lte": soon}
    yield {"gt": soon}


def require(key: str) -> Object:
    found = find(key)
    if found is None:
        raise ChannelRefused(NOT_FOUND)
    return found


def intent_of(payment_key: str) -> Object:
    return paid_by(require(payment_key))


def paid_by(found: Object) -> Object:
    """The intent of a charge. Raises ChannelRefused `not_paid` for a page that nobody has used."""
    if found["object"] != SESSION:
        return found
    intent = found["payment_intent"]
    if not intent:
        raise ChannelRefused("not_paid")
    return dict(intent)


def again(found: Object) -> Object:
    if found["object"] == SESSION:
        return call(
            lambda client: client.v1.checkout.sessions.retrieve(
                found["id"], {"expand": ["payment_intent"]}
            )
        )
    return call(lambda client: client.v1.payment_intents.retrieve(found["id"]))
