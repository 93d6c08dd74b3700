"""Faults of what channels list: rows without money, money without rows, fees, certificates."""

from tests.audit.plant import fault

# The list has the paid group's money, without a fee, but for what a fault changes of it.
LISTED = """
    INSERT INTO payments_channelrecord (id, shard_key, channel, kind, key, ref, amount_minor,
        currency, fee_minor, at, seen_at)
    SELECT id, shard_key, channel, kind, attempt_id, {ref}, {amount}, currency, {fee}, at, at
    FROM payments_channelfact
    WHERE attempt_id IN (SELECT id FROM payments_attempt WHERE payment_id = {{paid_payment}})
"""
READ = """
    INSERT INTO payments_reconciliationrun (id, shard_key, channel, since, until, records, actor)
    SELECT 4096 * row_number() OVER (), 0, 'sandbox', until, until, 0, ''
    FROM (VALUES (business_now() - interval '90 days'), (business_now() + interval '27 hours')
         ) AS read (until)
"""


def row(*, ref: str = "channel_ref", amount: str = "amount_minor", fee: int = 0) -> str:
    """The list has it so."""
    return LISTED.format(ref=ref, amount=amount, fee=fee)


LISTS = {
    "inv_29_recon": [
        fault("29 a row of money that nobody has booked", row(ref="'planted'")),
        fault("29b a row of another amount", row(amount="amount_minor + 1")),
        fault("29c money that the list has not", READ),
    ],
    "payments_16_channel_fees": [
        fault("P16 a fee that was not booked", row(fee=39)),
        fault(
            "P16b a fee that no row tells of",
            "UPDATE payments_ledgertransaction SET kind = 'channel_fee' WHERE kind = 'refund'",
            also="I15",
        ),
    ],
    "payments_17_certificates": [
        fault(
            "P17 level, and something is left",
            """
            INSERT INTO payments_reconciliationday (id, shard_key, channel, day, number, is_level,
                rows, sha256, actor, at)
            VALUES (4096, 0, 'sandbox', business_now()::date, 1, true, 0, '', '', business_now())
            """,
            """
            INSERT INTO payments_reconciliationtotal (id, shard_key, certificate_id, currency,
                channel_gross_minor, channel_fee_minor, book_gross_minor, book_fee_minor,
                settled_minor, difference_minor)
            VALUES (4096, 0, 4096, 'EUR', 1, 0, 0, 0, 0, 1)
            """,
        ),
    ],
}
