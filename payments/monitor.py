"""The monitor's conditions of the money."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import system
from core.monitor import Condition, Owner, Pace, watch_for
from payments.audit import OWED_SINCE
from payments.channels.base import listing_channels
from payments.models import Difference, ReconciliationDay, ReconciliationRun
from payments.services.capture import capture_retry
from payments.services.refund import refund_retry
from payments.tasks import (
    ask_after_attempt,
    ask_after_capture,
    ask_after_payout,
    close_due_statements,
    reconcile_channel,
    send_payout,
    send_refund,
)

MONITOR = system("monitor")
# What the auditor would find of the book itself.
BOOK = ("inv_06_ledger_zero", "inv_08_ledger_book_zero", "payments_05_escrow")
_SETTLEMENT = (
    "settlement_01_listed_once",
    "settlement_02_closing",
    "settlement_03_forgotten",
    "settlement_04_payout_amount",
    "settlement_05_in_flight",
)
_MERCHANTS = " UNION ".join(f"SELECT merchant_id FROM audit.{view}" for view in _SETTLEMENT)


def _ask(attempt_id: int) -> object:
    return ask_after_attempt.delay(
        attempt_id
    )  # looked up when called: the Celery app is there then


def _send(refund_id: int) -> object:
    return send_refund.delay(refund_id)


def _ask_of_payout(payout_id: int) -> object:
    return ask_after_payout.delay(payout_id)


def _pay(payout_id: int) -> object:
    return send_payout.delay(payout_id)


def _close(_merchant_id: int) -> object:
    return close_due_statements.delay()


def _reconcile(subject_id: int) -> object:
    """The channel that a difference, a certificate or a list is of; just listed, it is left alone."""
    for model in (Difference, ReconciliationDay, ReconciliationRun):
        for row in model._default_manager.filter(pk=subject_id):
            return reconcile_channel.delay(row.channel)
    return None


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
        words=_("The ledger does not balance, or a statement is not what it says"),
        owner=Owner.FINANCE,
        warn_after=timedelta(0),
        page_after=timedelta(0),
        sql=f"""
            SELECT broken.subject, NULL::timestamptz AS since
            FROM (SELECT 'posting ' || id AS subject FROM audit.{BOOK[0]}
                  UNION ALL SELECT 'book ' || currency FROM audit.{BOOK[1]}
                  UNION ALL SELECT 'order ' || order_id FROM audit.{BOOK[2]}
                  UNION SELECT 'merchant ' || merchant_id FROM ({_MERCHANTS}) AS wrong) AS broken
        """,
        pace=Pace.SLOW,
        runbook="Pay nobody out; a merchant whose statements differ (T01 to T05) is paid nothing by itself."
        " `manage.py audit --once` (I06, I08, P05) shows the rows. Nothing is mended by an UPDATE:"
        " a wrong posting is answered by its reversal.",
    )
)
watch_for(
    Condition(
        code="S2b",
        name="payout_unknown",
        words=_("The outcome of a payout is not known"),
        owner=Owner.FINANCE,
        warn_after=timedelta(minutes=30),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_payout WHERE status = 'sent'
        """,
        repair=_ask_of_payout,
        runbook="The channel is asked for it every half a minute, by the same key. It is never sent"
        " under another key while that is so, or the merchant might be paid twice. See what the channel"
        " says of the key, which is the payout's id.",
    )
)
watch_for(
    Condition(
        code="S9b",
        name="payout_not_sent",
        words=_("An approved payout has not been sent"),
        owner=Owner.FINANCE,
        warn_after=timedelta(minutes=15),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_payout WHERE status = 'approved'
        """,
        pace=Pace.SLOW,
        repair=_pay,
        runbook="Payouts to the merchant were put on hold after it was approved, or the merchant's"
        " statements differ from the ledger (S14), or its event is stuck (S12). The repair sends it as"
        " soon as nothing stands in the way, by the same key.",
    )
)
watch_for(
    Condition(
        code="S10b",
        name="payout_failed",
        words=_("A payout has failed"),
        owner=Owner.FINANCE,
        warn_after=timedelta(0),
        page_after=timedelta(hours=72),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM payments_payout WHERE status = 'failed'
        """,
        pace=Pace.SLOW,
        runbook="The bank account took no money; the channel's reason stands at the payout. Have the"
        " merchant give another account, then try it again on the payout's page: it is approved anew.",
    )
)
watch_for(
    Condition(
        code="S14b",
        name="statement_overdue",
        words=_("A statement whose period is over is not closed"),
        owner=Owner.FINANCE,
        warn_after=timedelta(hours=1),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, period_to AS since
            FROM payments_statement WHERE status = 'open'
        """,
        repair=_close,
        runbook="The clock `close-due-statements` should have closed it: see S16, and the worker's log"
        " for what `statement_close` refuses. Until then its merchant is not paid.",
    )
)
watch_for(
    Condition(
        code="S15",
        name="channel_differs",
        words=_("A channel's report and our book differ"),
        owner=Owner.FINANCE,
        warn_after=timedelta(days=1),
        page_after=timedelta(days=2),
        # Differences that nobody has settled; days that were not level; the end of each channel's
        # last list, so that one that can't be read any more is missed.
        sql="""
            SELECT difference.id AS subject, difference.found_at AS since
            FROM payments_difference difference
            WHERE NOT EXISTS (SELECT FROM payments_differenceresolution resolution
                              WHERE resolution.difference_id = difference.id
                                AND resolution.shard_key = difference.shard_key)
            UNION ALL
            SELECT certificate.id, certificate.at
            FROM payments_reconciliationday certificate
            WHERE NOT certificate.is_level
              AND NOT EXISTS (SELECT FROM payments_reconciliationday later
                              WHERE later.channel = certificate.channel
                                AND later.day = certificate.day
                                AND later.number > certificate.number)
            UNION ALL
            SELECT run.id, run.until
            FROM payments_reconciliationrun run
            WHERE run.channel = ANY (%(channels)s)
              AND NOT EXISTS (SELECT FROM payments_reconciliationrun later
                              WHERE later.channel = run.channel AND later.until > run.until)
        """,
        pace=Pace.SLOW,
        parameters=lambda: {"channels": listing_channels()},
        repair=_reconcile,
        runbook="The console's list of differences has what the channel lists and our book lacks, or the"
        " other way round, with what it may be about. The repair lists the channel once more, which"
        " settles what has only come late. What stays is for finance: see at the channel what is true,"
        " then settle it with the reason; a fee of the channel's can be taken over into the book."
        " `manage.py reconcile --channel NAME --since 26h` reads a list again, `--day YYYY-MM-DD`"
        " certifies a day anew once its differences are settled. A channel whose list can't be read any"
        " more stands here too: its worker's log says why.",
    )
)
watch_for(
    Condition(
        code="S2c",
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
