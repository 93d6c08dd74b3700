"""One group's story with a channel, told in some order, with people's doings in between.

The channel takes the money at once: it promises, takes, refuses and closes, all of it of one attempt,
and refuses and makes a refund, when there is one. What it tells comes as stored notifications through
the outbox; what of it is lost comes from the channel's list of movements, or because it is asked.
"""

import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import F

from accounts.actors import Actor, Role
from catalog.models import Sku
from core import clock
from core.errors import DomainError
from core.hooks import hook_store
from core.models import BusinessClock, Hook, OutboxStream
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.expire import expire_due
from orders.services.refund import order_refund
from payments.channels.base import Answer
from payments.models import Attempt, Payment, Refund
from payments.services.collect import attempt_answer_record
from payments.services.refund import refund_send
from tests.factories import fresh
from tests.factories.money import CHANNEL
from tests.factories.story import BUYER, deliver_events, fresh_row, payment_of, place, start_payment

STAFF = Actor(Role.STAFF, "test")
TOLD = ("authorised", "captured", "failed", "closed", "refund.failed", "refund.succeeded")
DEEDS = ("redirect", "expire", "cancel", "refund", "nothing")
PAST_DEADLINE = timedelta(minutes=31)
PAST_HOLD = timedelta(minutes=6)


@dataclass(frozen=True, slots=True)
class Arrival:
    """In which order what is told and done arrives; `lost` comes by reconciliation at the end.

    After a step whose number is in `pauses` all that has happened is delivered to whom it concerns.
    """

    steps: tuple[str, ...]
    lost: tuple[str, ...]
    pauses: frozenset[int]


@dataclass(slots=True)
class Telling:
    """A group and its channel's words; `play` lets them arrive."""

    group: OrderGroup
    attempt: Attempt
    waiting: list[str] = field(default_factory=list)  # of a refund that nobody has asked for yet

    def play(self, arrival: Arrival) -> None:
        """All steps, then what was lost, then all that is owed, until nothing moves."""
        for number, step in enumerate((*arrival.steps, *arrival.lost)):
            self._take(step)
            if number in arrival.pauses:
                deliver_events()
        deliver_events()
        self._come_to_rest()
        BusinessClock.objects.update(offset=timedelta(0))  # or the first ones would be stuck by now
        OutboxStream.objects.filter(external=True).update(delivered_seq=F("last_seq"))

    def _take(self, step: str) -> None:
        if step in DEEDS:
            self._do(step)
        elif step.startswith("refund.") and not self.refunds():
            self.waiting.append(step)
        else:
            self._tell(step)

    def _do(self, deed: str) -> None:
        """A refusal is an answer, too: it is over with that, or it has not come to it yet."""
        deeds: dict[str, Callable[[], object]] = {
            "redirect": self._redirect,
            "expire": self._expire,
            "cancel": lambda: order_group_cancel(
                group_id=self.group.id, actor=BUYER, reason="changed my mind"
            ),
            "refund": self._refund,
            "nothing": lambda: None,
        }
        with suppress(DomainError):
            deeds[deed]()

    def _redirect(self) -> None:
        """The shopper comes back: the channel is asked, and says what it would by now."""
        attempt = fresh_row(self.attempt)
        if not attempt.is_live:
            return
        answer = Answer(
            status="processing",
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            ref=f"pay-{attempt.id}",
        )
        attempt_answer_record(attempt_id=attempt.id, answer=answer, actor=CHANNEL, origin="query")

    def _expire(self) -> None:
        clock.advance(PAST_DEADLINE)
        expire_due()

    def _refund(self) -> None:
        order = self.group.orders.order_by("id")[0]
        order_refund(
            order_id=order.id,
            amount_minor=100,
            reason="scratched",
            request_key=fresh("scratch-{}"),
            actor=STAFF,
        )

    def _tell(self, kind: str) -> None:
        if kind.startswith("refund."):
            self._notify(kind, self.refunds()[0])
        else:
            self._notify(f"payment.{kind}", self.attempt)

    def _notify(self, kind: str, about: Attempt | Refund) -> None:
        """The same word has the same reference, however often it is told."""
        told = {
            "kind": kind,
            "key": about.channel_key,
            "ref": f"{kind}-{about.channel_key}",
            "amount_minor": about.amount_minor,
            "currency": about.currency,
        }
        hook_store(
            channel="sandbox",
            event_id=fresh("evt-{}"),
            payload=json.dumps(told).encode(),
            headers={},
            event_type="payment_hook.received",
        )

    def refunds(self) -> list[Refund]:
        """What goes back of the group's money."""
        return list(Refund.objects.filter(payment__reference=self.group.id).order_by("id"))

    def _come_to_rest(self) -> None:
        clock.advance(PAST_DEADLINE)
        expire_due()
        clock.advance(PAST_HOLD)
        expire_due()
        deliver_events()
        while self._settle_refunds():
            deliver_events()

    def _settle_refunds(self) -> bool:
        """The channel makes every refund that is asked for, after the words that waited for one."""
        waiting, self.waiting = self.waiting, []
        asked = [refund for refund in self.refunds() if refund.status in ("approved", "sent")]
        for refund in asked:
            if refund.status == "approved":
                refund_send(refund_id=refund.id, actor=CHANNEL)
        told = waiting if self.refunds() else []
        for step in told:
            self._tell(step)
        for refund in asked:
            self._notify("refund.succeeded", refund)
        return bool(asked or told)


def begin(skus: Sequence[Sku]) -> Telling:
    """A placed group that its shopper has begun to pay."""
    group = place([(sku, 1) for sku in skus])
    return Telling(group, start_payment(group))


def arrivals(seed: str, count: int) -> list[Arrival]:
    """Orders of the six words with people's doings in between; some words twice, some lost."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        told = list(TOLD)
        chance.shuffle(told)
        lost = [kind for kind in told if chance.random() < 1 / 6]
        steps = [kind for kind in told if kind not in lost]
        steps += [kind for kind in steps if chance.random() < 1 / 4]  # told again, later
        for deed in chance.sample(DEEDS, 2):
            steps.insert(chance.randint(0, len(steps)), deed)
        pauses = {number for number in range(len(steps) + len(lost)) if chance.random() < 1 / 2}
        found.append(Arrival(tuple(steps), tuple(lost), frozenset(pauses)))
    return found


def unexplained(telling: Telling) -> list[str]:
    """What is wrong with the end, in words; nothing where it is the one that the words amount to."""
    group = fresh_row(telling.group)
    payment: Payment = payment_of(group)
    attempt = fresh_row(telling.attempt)
    refunds = telling.refunds()
    wrong = []
    if attempt.status != "succeeded" or payment.status != "captured":
        wrong.append(f"attempt {attempt.status}, payment {payment.status}")
    if payment.captured_minor != attempt.amount_minor:
        wrong.append(f"captured {payment.captured_minor} of {attempt.amount_minor}")
    if any(refund.status != "succeeded" for refund in refunds):
        wrong.append(f"refunds {[refund.status for refund in refunds]}")
    is_back = payment.refunded_minor == payment.captured_minor
    if group.status not in (("expired", "cancelled", "paid") if is_back else ("paid",)):
        wrong.append(f"group {group.status}, {payment.refunded_minor} back")
    if Hook.objects.exclude(state="processed").exists():
        wrong.append(
            str(list(Hook.objects.exclude(state="processed").values_list("note", flat=True)))
        )
    return wrong
