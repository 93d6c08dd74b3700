"""An audit stays short when there is much to read: nothing in it grows with the square."""

import time

import pytest
from django.db import connection

from core import audit
from core.models import OutboxEvent
from tests import reset
from tests.audit.crowd import multiply
from tests.audit.walks import walk

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]

GROUPS, EVENTS_PER_GROUP = 5_000, 25
MOST_SECONDS = 10
STUCK_HOOKS = """
    INSERT INTO core_hook (id, channel, event_id, headers, payload, state, note, received_at)
    SELECT id, 'sandbox', id, jsonb_build_object(),
        convert_to(jsonb_build_object('key', id::text)::text, 'UTF8'), 'received', '',
        business_now() - interval '6 minutes'
    FROM payments_attempt
"""


def fill(groups: int = GROUPS) -> None:
    """As many events as that many groups have, by copies of the walked ones."""
    walk()
    multiply(groups * EVENTS_PER_GROUP // OutboxEvent.objects.count())


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def seconds_of_an_audit() -> tuple[float, list[str]]:
    began = time.monotonic()
    violations = audit.run()
    return time.monotonic() - began, [violation.view.code for violation in violations]


@pytest.mark.parametrize("before", ["SELECT 1", "ANALYZE"], ids=["just imported", "analysed"])
def test_five_thousand_groups_are_audited_in_ten_seconds(before: str) -> None:
    fill()
    execute(before)

    seconds, found = seconds_of_an_audit()

    assert found == []
    assert seconds < MOST_SECONDS


def test_a_planner_that_takes_the_tables_for_empty_does_no_harm() -> None:
    fill(groups=1_500)
    reset.empty()
    execute("ANALYZE")
    fill(groups=1_500)

    seconds, found = seconds_of_an_audit()

    assert found == []
    assert seconds < MOST_SECONDS


def test_a_shop_where_all_stands_still_is_audited_in_ten_seconds() -> None:
    fill()
    execute("UPDATE core_outboxstream SET delivered_seq = 0")
    execute("UPDATE orders_ordergroup SET status = 'cancelled'")
    execute(STUCK_HOOKS)

    seconds, found = seconds_of_an_audit()

    assert {"I13", "I21", "I26"} <= set(found)
    assert seconds < MOST_SECONDS
