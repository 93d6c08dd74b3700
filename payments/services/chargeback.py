"""Chargebacks: folded from what channels say, booked against whoever has the money.

The first word about one, whichever it is, opens it and books what the channel has taken; a won one is
the mirror of that. So every order of arrival ends the same.
"""

from django.db.models import F

from accounts.actors import Actor
from core.command import command
from core.fsm import fire, start
from core.money import allocate
from payments.fold import chargeback_verb
from payments.locks import lock_attempt, lock_chargeback
from payments.models import (
    Attempt,
    ChannelFact,
    Chargeback,
    ChargebackShare,
    LedgerTransaction,
    Payment,
    PaymentShare,
)
from payments.selectors import shares_of
from payments.services.facts import Said, fact_insert, kinds_of, refusal
from payments.services.ledger import Leg, post, reverse
from payments.services.split import sources_legs
from payments.states import CHARGEBACK

Kind = ChannelFact.Kind


@command
def chargeback_fact_record(
    *,
    attempt_id: int,
    kind: str,
    amount_minor: int,
    currency: str,
    channel_ref: str,
    origin: str,
    actor: Actor,
) -> Chargeback:
    """Records one statement of a channel about a dispute of an attempt's money.

    Locks the payment, the attempt, the chargeback. Emits `chargeback.opened`, `chargeback.won`,
    `chargeback.lost`. Raises NotFound `attempt.unknown`; Conflict `fact.…`.
    """
    said = Said(
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        channel_ref=channel_ref,
        origin=origin,
    )
    return chargeback_tell(attempt=lock_attempt(attempt_id), said=said, actor=actor)


def chargeback_tell(*, attempt: Attempt, said: Said, actor: Actor) -> Chargeback:
    """Keeps a statement about a dispute of a locked attempt's money and folds all of them anew.

    Part of a service. A reference names one dispute. Emits as `chargeback_fact_record()`. Raises
    Conflict `fact.amount` for more than was taken, or another amount than before.
    """
    chargeback = lock_chargeback(attempt=attempt, channel_ref=said.channel_ref)
    if chargeback is None:
        chargeback = _open(attempt, said, actor)
    if fact_insert(chargeback, said) is None:
        return chargeback
    verb = chargeback_verb(kinds_of(chargeback))
    if verb and chargeback.status != CHARGEBACK.edge(verb).target:
        if verb == "win":
            _give_back(chargeback, actor)
        fire(chargeback, verb=verb, actor=actor)
    return chargeback


def _open(attempt: Attempt, said: Said, actor: Actor) -> Chargeback:
    if said.currency != attempt.currency or not 0 < said.amount_minor <= _most_minor(attempt):
        raise refusal("fact.amount", attempt, said)
    payment = attempt.payment
    parts = _parts(attempt, said.amount_minor)
    chargeback = Chargeback.build(
        attempt.shard_key,
        payment=payment,
        attempt=attempt,
        channel=attempt.channel,
        channel_ref=said.channel_ref,
        amount_minor=said.amount_minor,
        loss_minor=said.amount_minor - sum(minor for _, minor in parts),
        currency=attempt.currency,
    )
    start([chargeback], verb="open", actor=actor)
    ChargebackShare.objects.bulk_create(
        ChargebackShare.build(
            chargeback.shard_key,
            chargeback=chargeback,
            order_id=share.order_id,
            merchant_id=share.merchant_id,
            amount_minor=minor,
        )
        for share, minor in parts
    )
    _count(chargeback, +1)
    post(
        shard_key=chargeback.shard_key,
        kind="chargeback",
        ref=f"chargeback:{chargeback.id}",
        legs=_legs(chargeback),
        actor=actor,
    )
    return chargeback


def _most_minor(attempt: Attempt) -> int:
    """What the attempt has brought, less what was disputed of it before and not won."""
    facts = ChannelFact.objects.filter(shard_key=attempt.shard_key, kind=Kind.CAPTURED)
    own = facts.filter(attempt=attempt) | facts.filter(capture__attempt=attempt)
    disputed = attempt.chargebacks.exclude(status="won")
    taken: int = sum(own.values_list("amount_minor", flat=True))
    return taken - sum(disputed.values_list("amount_minor", flat=True))


def _parts(attempt: Attempt, amount_minor: int) -> list[tuple[PaymentShare, int]]:
    """By largest remainder over what is left of the shares; nothing of money that is no order's."""
    shares = [] if attempt.is_excess else shares_of(attempt.payment)
    left = [share.left_minor for share in shares]
    covered_minor = min(amount_minor, sum(left))
    if not covered_minor:
        return []
    minors = allocate(covered_minor, left)
    return [(share, minor) for share, minor in zip(shares, minors, strict=True) if minor]


def _count(chargeback: Chargeback, sign: int) -> None:
    """Moves the counters of the payment and of its shares; the constraints stand behind it."""
    payment, parts = chargeback.payment, list(chargeback.shares.order_by("order_id"))
    total_minor = sign * sum(part.amount_minor for part in parts)
    Payment.objects.filter(pk=payment.pk, shard_key=payment.shard_key).update(
        charged_back_minor=F("charged_back_minor") + total_minor
    )
    payment.charged_back_minor += total_minor
    for part in parts:
        PaymentShare.objects.filter(
            payment=payment, order_id=part.order_id, shard_key=payment.shard_key
        ).update(charged_back_minor=F("charged_back_minor") + sign * part.amount_minor)


def _legs(chargeback: Chargeback) -> list[Leg]:
    """From escrow; what an order's completion has moved on comes from its merchant and the house.

    What had gone back before is lost: the house has paid it twice.
    """
    currency = chargeback.currency
    return [
        Leg(code="chargeback_loss", amount_minor=chargeback.loss_minor, currency=currency),
        Leg(
            code="channel_clearing",
            amount_minor=-chargeback.amount_minor,
            currency=currency,
            channel=chargeback.channel,
        ),
        *sources_legs(list(chargeback.shares.order_by("pk")), currency=currency),
    ]


def _give_back(chargeback: Chargeback, actor: Actor) -> None:
    """Undoes what opening it booked."""
    _count(chargeback, -1)
    ref = f"chargeback:{chargeback.id}"
    posting = LedgerTransaction.objects.get(
        shard_key=chargeback.shard_key, kind="chargeback", ref=ref
    )
    reverse(posting=posting, kind="chargeback_won", ref=ref, actor=actor)
