"""Every constraint refuses the row that breaks it, by its name; taken away, it lets that row in.

Rows are put in as plain SQL, so that nothing but the database stands in their way.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import CheckConstraint, UniqueConstraint

pytestmark = pytest.mark.django_db

Row = dict[str, Any]
Guard = CheckConstraint | UniqueConstraint

# Something of each type; the genes are 0.
SOMETHING = {
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "boolean": "false",
    "jsonb": "{}",
    "bytea": "",
    "timestamp with time zone": "2026-11-01T00:00Z",
    "date": "2026-11-01",
    "interval": "0",
    "uuid": "00000000-0000-0000-0000-000000000001",
}
# What else a sound row of these needs.
SOUND: dict[str, Row] = {
    "core_outboxstream": {"delivered_seq": 0},
    "inventory_reservation": {"status": "held", "shipped_quantity": 0, "released_quantity": 0},
    "orders_ordergroup": {"discount_minor": 1, "added_tax_minor": 0, "items_minor": 1},
    "orders_order": {"discount_minor": 1, "added_tax_minor": 0},
    "orders_orderline": {"shipped_quantity": 0, "cancelled_quantity": 0},
    "orders_orderrefund": {"delivery_minor": 0, "goodwill_minor": 0},
    "payments_channelfact": {"capture_id": None, "refund_id": None, "chargeback_id": None},
    "payments_creditentry": {"kind": "issued"},
    "payments_payment": {"tender": "channel", "credit_account_id": None, "charged_back_minor": 0},
    "payments_paymentshare": {"voided_minor": 0, "charged_back_minor": 0},
    "payments_refund": {"destination": "original", "account": ""},
    "orders_voucher": {
        "code": "X",
        "kind": "fixed",
        "basis_points": 0,
        "funded_by": "platform",
        "currency": "EUR",
        "ends_at": None,
    },
    "payments_statement": {
        "status": "closed",
        "period_from": "2026-01-01T00:00Z",
        "period_to": "2026-01-08T00:00Z",
    },
    "payments_reconciliationtotal": {"difference_minor": -1},
    "payments_manualtransfer": {"refund_id": None},
}
# What breaks each CHECK.
BREAKS: dict[str, Row] = {
    "core_stream_delivered_bounds": {"delivered_seq": 2},
    "payments_entry_amount_not_zero": {"amount_minor": 0},
    "payments_payment_amount_positive": {"amount_minor": 0, "status": "open"},
    "payments_payment_refund_bounds": {"refunded_minor": 2},
    "payments_payment_credit_account": {"tender": "store_credit", "credit_account_id": None},
    "payments_credit_balance_not_negative": {"balance_minor": -1},
    "payments_credit_entry_sign": {"kind": "spent", "amount_minor": 1},
    "payments_chargeback_amounts": {"loss_minor": 2},
    "payments_chargebackshare_amount_positive": {"amount_minor": 0},
    "payments_refund_destination": {"account": "somewhere"},
    "orders_orderrefund_parts": {"goodwill_minor": 2},
    "payments_share_amount_not_negative": {"amount_minor": -1},
    "payments_share_authorised_bounds": {"authorised_minor": 2},
    "payments_share_capture_bounds": {"captured_minor": 2},
    "payments_capture_amount_positive": {"amount_minor": 0},
    "payments_share_refund_bounds": {"refunded_minor": 2},
    "payments_attempt_amount_positive": {"amount_minor": 0},
    "payments_channelfact_one_subject": {"refund_id": 1},
    "payments_refund_amount_positive": {"amount_minor": 0},
    "payments_refundshare_amount_positive": {"amount_minor": 0},
    "payments_statement_period": {"period_to": "2026-01-01T00:00Z"},
    "payments_statement_closing": {"closing_minor": None},
    "payments_payout_amount_positive": {"amount_minor": 0},
    "payments_daytotal_difference": {"difference_minor": 0},
    "payments_bankline_amount_not_zero": {"amount_minor": 0},
    "payments_linematch_applied": {"applied_minor": -1},
    "payments_transfer_amount_positive": {"amount_minor": 0},
    "payments_transfer_one_source": {"refund_id": 1},
    "inventory_stockitem_bounds": {"reserved": 2},
    "inventory_reservation_quantity": {"quantity": 0},
    "inventory_reservation_bounds": {"shipped_quantity": 2},
    "inventory_reservation_nothing_left": {"status": "shipped"},
    "inventory_stockmovement_moves": {"on_hand_change": 0, "reserved_change": 0},
    "delivery_method_price": {"price_minor": -1},
    "delivery_rate_price": {"price_minor": -1},
    "delivery_quote_amount": {"amount_minor": -1},
    "delivery_shipmentline_quantity": {"quantity": 0},
    "orders_group_total": {"total_minor": 2},
    "orders_group_total_not_negative": {
        "total_minor": -1,
        "items_minor": -1,
        "called_off_minor": 0,
        "delivery_minor": 0,
        "discount_minor": 0,
    },
    "orders_group_called_off_bounds": {"called_off_minor": 2},
    "orders_group_extensions_left": {"extensions_left": -1},
    "orders_group_tax_bounds": {"added_tax_minor": 2, "total_minor": 3},
    "orders_group_discount_not_negative": {"discount_minor": -1, "total_minor": 3},
    "orders_order_total": {"total_minor": 2},
    "orders_order_delivery_discount": {"delivery_discount_minor": 2},
    "orders_order_subsidy_bounds": {"subsidy_minor": 2},
    "orders_order_tax_on_top": {"added_tax_minor": 2, "total_minor": 3},
    "orders_order_delivery_tax": {"delivery_tax_minor": 2},
    "orders_order_commission_tax": {"commission_tax_minor": 2},
    "orders_order_commission_bounds": {"commission_minor": 2},
    "orders_order_called_off_bounds": {"called_off_minor": 2},
    "orders_line_quantity": {"quantity": 0, "total_minor": 0, "discount_minor": 0},
    "orders_line_quantity_bounds": {"shipped_quantity": 1, "cancelled_quantity": 1},
    "orders_line_total": {"total_minor": 2},
    "orders_line_discount_bounds": {"discount_minor": 2},
    "orders_line_tax_on_top": {"added_tax_minor": 2},
    "orders_note_says_something": {"text": ""},
    "orders_cartline_quantity": {"quantity": 0},
    "orders_voucher_code_upper": {"code": "x"},
    "orders_voucher_terms": {"kind": "percentage"},
    "orders_voucher_funder": {"funded_by": "merchant", "merchant_id": None},
    "orders_voucher_minimum": {"minimum_minor": -1},
    "orders_voucher_dates": {"ends_at": "2026-11-01T00:00Z"},
    "orders_voucher_limits": {"per_customer_limit": 0},
    "orders_voucher_used_bounds": {"used_count": 2},
    "orders_voucheruse_discount": {"discount_minor": 0},
}
# Whatever breaks the one breaks the others too.
BROKEN_TOO = {
    "orders_group_total_not_negative": ["orders_group_called_off_bounds"],
    "payments_share_amount_not_negative": [
        "payments_share_authorised_bounds",
        "payments_share_capture_bounds",
    ],
}
# Where a UNIQUE holds for some states only.
IN_STATE: dict[str, Row] = {
    "inventory_reservation_live_once": {"status": "held"},
    "payments_attempt_one_open": {"status": "created"},
    "payments_statement_one_open": {"status": "open", "closing_minor": None},
    "payments_payouthold_one": {"released_at": None},
    "orders_cancelrequest_one_open": {"status": "requested"},
    "core_alarm_open_once": {"resolved_at": None},
}
APPS = ("core", "payments", "inventory", "delivery", "orders")

numbers = count(1)


def guards(kind: type[Guard]) -> dict[str, tuple[type[models.Model], Guard]]:
    return {
        constraint.name: (model, constraint)
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, kind)
    }


CHECKS, UNIQUES = guards(CheckConstraint), guards(UniqueConstraint)


def sound_row(model: type[models.Model]) -> Row:
    """A value for each column, as the database knows them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = %s AND table_schema = 'public'",
            [model._meta.db_table],
        )
        row: Row = {name: SOMETHING.get(kind, "x") for name, kind in cursor.fetchall()}
    if "shard_key" in row:
        row["shard_key"] = 0
    return renewed(row, str(model._meta.pk.name)) | SOUND.get(model._meta.db_table, {})


def renewed(row: Row, *columns: str) -> Row:
    """The row with values there that no other has; an id keeps gene 0."""
    new: Row = {}
    for column in set(columns) & set(row):
        number = next(numbers) * 4096
        is_uuid = str(row[column]).count("-") == 4
        as_text = f"00000000-0000-0000-0000-{number:012}" if is_uuid else f"x{number}"
        new[column] = number if isinstance(row[column], int) or row[column] == "1" else as_text
    return row | new


def refused_by(model: type[models.Model], *rows: Row) -> str | None:
    """The constraint that keeps these rows out; they are taken back before foreign keys are judged."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for row in rows:
                names = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(["%s"] * len(row))
                cursor.execute(
                    f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({values})',
                    list(row.values()),
                )
            transaction.set_rollback(True)
    except IntegrityError as error:
        name: str = error.__cause__.diag.constraint_name  # type: ignore[union-attr]
        return name
    return None


def take_away(model: type[models.Model], constraint: Guard) -> None:
    """For the rest of the test, which is rolled back."""
    with connection.schema_editor() as editor:
        editor.remove_constraint(model, constraint)


@pytest.mark.parametrize("name", CHECKS)
def test_a_row_that_breaks_a_check_is_refused_and_without_it_gets_in(name: str) -> None:
    model, constraint = CHECKS[name]
    sound = sound_row(model)
    breaks = {"shard_key": 1} if name.endswith("_gene") else BREAKS[name]

    assert refused_by(model, sound) is None
    for other in BROKEN_TOO.get(name, []):
        take_away(*CHECKS[other])
    assert refused_by(model, sound | breaks) == name
    take_away(model, constraint)
    assert refused_by(model, sound | breaks) is None


@pytest.mark.parametrize("name", UNIQUES)
def test_a_second_row_of_the_same_is_refused_and_without_the_rule_gets_in(name: str) -> None:
    model, constraint = UNIQUES[name]
    assert isinstance(constraint, UniqueConstraint)
    first = sound_row(model) | IN_STATE.get(name, {})
    second = renewed(first, *other_keys(model, constraint))

    assert refused_by(model, first, second) == name
    assert refused_by(model, first) is None
    take_away(model, constraint)
    assert refused_by(model, first, second) is None


def other_keys(model: type[models.Model], constraint: UniqueConstraint) -> Iterator[str]:
    """A column of each other thing that is unique, so that only this one meets."""
    yield model._meta.pk.name
    own = set(constraint.fields)
    for other in model._meta.constraints:
        if isinstance(other, UniqueConstraint) and other is not constraint:
            # None where what it forbids is forbidden by this one anyway, but for its condition.
            field = next((name for name in reversed(other.fields) if name not in own), None)
            if field:
                yield str(getattr(model._meta.get_field(field), "column"))  # noqa: B009 not all have one


def test_every_check_has_a_row_that_breaks_it() -> None:
    assert set(BREAKS) == {name for name in CHECKS if not name.endswith("_gene")}
