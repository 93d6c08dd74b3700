"""The monitor's conditions of the money."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import system
from core.monitor import Condition, Owner, Pace, watch_for
from payments.audit import OWED_SINCE
from payments.services.capture import capture_retry
from payments.services.refund import refund_retry
from payments.tasks import ask_after_attempt, ask_after_capture, send_refund

MONITOR = system("monitor")
# What the auditor would find of the book itself.
BOOK = ("inv_06_ledger_zero", "inv_08_ledger_book_zero", "payments_05_escrow")


def _ask(attempt_id: int) -> object:
    return ask_after_attempt.delay(
        attempt_id
    )  # looked up when called: the Celery app is there then


def _send(refund_id: int) -> object:
    return send_refund.delay(refund_id)


def _retry(refund_id: int) -> object:
    return refund_retry(refund_id=refund_id, actor=MONITOR)


def _ask_capture(capture_id: int) -> object:
    return ask_after_capture.delay(capture_id)


def _retry_capture(capture_id: int) -> object:
    return capture_retry(capture_id=capture_id, actor=MONITOR)


watch_for(
    Condition(
        code="S2",
        name="payment_unknown",
        words=_("The outcome of a payment is not known"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(minutes=10),
        page_after=timedelta(minutes=30),
        sql=f"""
            SELECT attempt.id AS subject, {OWED_SINCE} AS since
            FROM payments_attempt attempt
            JOIN payments_payment payment ON payment.id = attempt.payment_id
            WHERE attempt.status = 'processing' AND payment.status <> 'authorised'
        """,
        repair=_ask,
        runbook="The channel has been asked for the outcome every half a minute and has not told. See"
        " whether it is reachable and what it says of the attempt, whose id is the key there. The"
        " repair asks once more; what the channel answers is folded in, late or not.",
    )
)
watch_for(
    Condition(
        code="S9",
        name="refund_not_sent",
        words=_("An approved refund has not been sent"),
        owner=Owner.FINANCE,
        warn_after=timedelta(minutes=15),
        page_after=timedelta(minutes=60),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_refund WHERE status = 'approved'
        """,
        pace=Pace.SLOW,
        repair=_send,
        runbook="The event that sends it is stuck: see S12 and `manage.py outbox list`. The repair asks"
        " the channel directly, by the same key, so that nothing goes back twice.",
    )
)
watch_for(
    Condition(
        code="S10",
        name="refund_failed",
        words=_("A refund has failed"),
        owner=Owner.FINANCE,
        warn_after=timedelta(0),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_refund WHERE status = 'failed'
        """,
        pace=Pace.SLOW,
        repair=_retry,
        automatic=False,
        runbook="The channel would not give the money back; its reason stands at the refund. Where it may"
        " succeed now, `manage.py monitor --repair S10` tries all of them again under new keys. Where"
        " it cannot, for the card is gone, pay the buyer in another way.",
    )
)
watch_for(
    Condition(
        code="S14",
        name="ledger_broken",
        words=_("The ledger does not balance"),
        owner=Owner.FINANCE,
        warn_after=timedelta(0),
        page_after=timedelta(0),
        sql=f"""
            SELECT broken.subject, NULL::timestamptz AS since
            FROM (SELECT 'posting ' || id AS subject FROM audit.{BOOK[0]}
                  UNION ALL SELECT 'book ' || currency FROM audit.{BOOK[1]}
                  UNION ALL SELECT 'order ' || order_id FROM audit.{BOOK[2]}) AS broken
        """,
        pace=Pace.SLOW,
        runbook="Pay nobody out. `manage.py audit --once` (I06, I08, P05) shows the rows. Nothing is mended"
        " by an UPDATE: a wrong posting is answered by its reversal.",
    )
)
watch_for(
    Condition(
        code="S2b",
        name="capture_unknown",
        words=_("A channel has not said whether it has taken promised money"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(minutes=10),
        page_after=timedelta(minutes=30),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_capture WHERE status = 'requested'
        """,
        repair=_ask_capture,
        runbook="The goods have left, and the channel was asked for the money every half a minute. See"
        " whether it is reachable. The repair asks once more; a channel that has never heard of it is"
        " asked to take it, by the same key.",
    )
)
watch_for(
    Condition(
        code="S20",
        name="capture_failed",
        words=_("A channel would not take promised money"),
        owner=Owner.FINANCE,
        warn_after=timedelta(0),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_capture WHERE status = 'failed'
        """,
        pace=Pace.SLOW,
        repair=_retry_capture,
        automatic=False,
        runbook="The goods have left. The clock asks again each hour for three days, as long as the"
        " promise stands; `manage.py monitor --repair S20` asks at once. The order is not completed and"
        " nobody is paid out for it until the money is here. Where the channel gives no more, ask the"
        " buyer to pay in another way.",
    )
)
