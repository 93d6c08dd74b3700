"""Carriers' notifications, from the inbox to a scan of a parcel."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from accounts.actors import Actor
from core import clock
from core.command import command
from core.errors import NotFound
from core.hooks import hook_settle
from core.models import Hook
from core.outbox import Postpone
from delivery import locks, states
from delivery.models import Shipment
from delivery.services.shipment import scan_add

CHANNEL = "carrier"
# A scan may overtake the commit that made its parcel; after that it belongs to nothing of ours.
WAIT_FOR_PARCEL = timedelta(minutes=10)
ASK_AGAIN_SECONDS = 5
LARGEST_ID = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 2000, 2999  # PostgreSQL stores years that Python can not read back


class NotUnderstood(ValueError):
    """The notification is genuine, but says nothing that concerns us."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A parcel scan as the carrier tells it; `key` is the id that we gave the parcel."""

    key: int
    tracking_number: str
    code: str
    at: datetime

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Raises NotUnderstood."""
        try:
            given: dict[str, Any] = json.loads(payload)
            kind, code, key, number = (
                str(given[name]) for name in ("kind", "code", "key", "tracking_number")
            )
            scan = cls(int(key), number, code, datetime.fromisoformat(given["at"]))
        except (KeyError, TypeError, ValueError) as error:
            raise NotUnderstood(f"not understood: {error!r}") from error
        if kind != "parcel.scan" or code not in states.SCAN_VERBS:
            raise NotUnderstood(f"kind {kind!r}, code {code!r}")
        if not 0 < scan.key <= LARGEST_ID:
            raise NotUnderstood("key out of range")
        if scan.at.tzinfo is None or not FIRST_YEAR <= scan.at.year <= LAST_YEAR:
            raise NotUnderstood("time out of range, or without its offset")
        return scan


@command
def hook_process(*, hook_id: int, actor: Actor) -> None:
    """Turns a stored notification into a scan of its parcel, or says why not. Quiet when repeated.

    Locks the shipment. Emits as `parcel_event_record`. Raises Postpone for ten minutes while the
    parcel is unknown.
    """
    hook = Hook.objects.get(pk=hook_id, channel=CHANNEL)
    if hook.state != Hook.State.RECEIVED:
        return
    try:
        scan = Scan.parse(bytes(hook.payload))
    except NotUnderstood as error:
        hook_settle(hook, Hook.State.IGNORED, str(error))
        return
    shipment = _shipment(scan, hook)
    if shipment is None:
        hook_settle(hook, Hook.State.UNMATCHED, f"no parcel {scan.key}")
    elif shipment.tracking_number not in ("", scan.tracking_number):
        hook_settle(hook, Hook.State.REVIEW, f"tracking number {scan.tracking_number!r}")
    else:
        scan_add(shipment=shipment, code=scan.code, at=scan.at, event_id=hook.event_id, actor=actor)
        hook_settle(hook, Hook.State.PROCESSED)


def _shipment(scan: Scan, hook: Hook) -> Shipment | None:
    """The parcel, locked; None when it has been waited for long enough."""
    try:
        return locks.lock_shipment(scan.key)
    except NotFound:
        if clock.now() - hook.received_at < WAIT_FOR_PARCEL:
            raise Postpone(ASK_AGAIN_SECONDS) from None
        return None
