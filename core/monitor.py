"""The monitor: what may not stay as it is for long, who has to see to it, and how it is mended.

Apps register their conditions beside their invariants. Where the auditor asks whether the books are
right, the monitor asks whether everything goes on. A condition reads the rows that wait and since
when; from `warn_after` on they are warned of, from `page_after` on somebody is to be woken.
`core/alarms.py` keeps and tells what is found here.
"""

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from django.db import DatabaseError, transaction
from django.utils.functional import Promise

from core.errors import ProgrammingMistake
from core.snapshot import snapshot
from core.sweep import sweep

logger = logging.getLogger(__name__)

MOST_SUBJECTS = 1000  # that one reading names
MOST_MENDED = 200  # by one repair: the clock that calls it has 15 s
# A monitor that waits for what it watches would stand still with it.
PATIENCE = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '5s'; SET LOCAL jit = off"

BUSINESS_TIME, MACHINE_TIME = "business_now()", "clock_timestamp()"


class Level(IntEnum):
    """How urgent a reading is."""

    CALM = 0
    WARN = 1
    PAGE = 2


class Owner(StrEnum):
    """Who has to see to it."""

    PLATFORM = "platform"
    MERCHANT = "merchant"
    FINANCE = "finance"


class Pace(StrEnum):
    """How often a condition is read: what has an index each half a minute, whole tables seldom."""

    QUICK = "quick"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What may not last.

    `sql` selects `subject` and `since` (NULL: since now), judged by `clock`; the ages are multiples of
    its column `times` where that is named. `repair` takes a subject, changes nothing when repeated, and is
    called by the clock itself where it is `automatic`.
    """

    code: str
    name: str
    words: str | Promise
    owner: Owner
    warn_after: timedelta
    page_after: timedelta
    sql: str
    runbook: str
    pace: Pace = Pace.QUICK
    clock: str = BUSINESS_TIME
    times: str = "1"
    parameters: Callable[[], dict[str, Any]] = dict
    repair: Callable[[int], object] | None = None
    automatic: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a condition found: how many, the oldest of them first. `error`: it could not be read."""

    condition: Condition
    at: datetime
    level: Level = Level.CALM
    count: int = 0
    oldest: datetime | None = None
    age: timedelta = timedelta(0)
    subjects: tuple[str, ...] = ()
    error: str = ""


conditions: dict[str, Condition] = {}


def watch_for(condition: Condition) -> None:
    """Registers a condition. Raises ProgrammingMistake for a code that is taken."""
    if condition.code in conditions:
        raise ProgrammingMistake(f"two conditions are called {condition.code}")
    conditions[condition.code] = condition


def of_pace(pace: Pace) -> list[Condition]:
    """The conditions that are read that often."""
    return [condition for condition in conditions.values() if condition.pace is pace]


def look(wanted: Iterable[Condition]) -> list[Reading]:
    """Reads conditions in one snapshot and changes nothing.

    A table that is locked or a condition that takes too long costs its own reading only.
    """
    with snapshot() as cursor:
        return read(cursor, wanted)


def read(cursor: Any, wanted: Iterable[Condition]) -> list[Reading]:
    """The same in a snapshot that is open already, so that more can be read of the same moment."""
    cursor.execute(PATIENCE)
    cursor.execute("SELECT clock_timestamp()")
    [at] = cursor.fetchone()
    return [_read(cursor, condition, at) for condition in wanted]


def _read(cursor: Any, condition: Condition, at: datetime) -> Reading:
    try:
        with transaction.atomic():
            # As for the auditor: what reads whole tables is not better off row by row.
            row_by_row = "on" if condition.pace is Pace.QUICK else "off"
            cursor.execute(f"SET LOCAL enable_nestloop = {row_by_row}")
            cursor.execute(_query(condition), _parameters(condition))
            rows = cursor.fetchall()
    except DatabaseError as error:
        logger.warning("%s can't be read: %r", condition.code, error)
        said = str(error).strip().partition("\n")[0]
        return Reading(condition, at, Level.WARN, error=said or type(error).__name__)
    if not rows:
        return Reading(condition, at)
    subjects = tuple(row[0] for row in rows)
    _, oldest, age, level, count = rows[0]
    return Reading(condition, at, Level(level), count, oldest, age, subjects)


def _query(condition: Condition) -> str:
    return f"""
        SELECT subject::text, since, moment - since, max(level) OVER (), count(*) OVER ()
        FROM (SELECT subject, since, moment,
                     CASE WHEN since <= moment - %(page)s * times THEN 2 ELSE 1 END AS level
              FROM (SELECT listed.subject, asked.moment, {condition.times} AS times,
                           coalesce(listed.since, asked.moment) AS since
                    FROM (SELECT {condition.clock} AS moment) AS asked, ({condition.sql}) AS listed
                   ) AS found
              WHERE since <= moment - %(warn)s * times) AS waiting
        ORDER BY since, subject LIMIT %(most)s
    """


def _parameters(condition: Condition) -> dict[str, Any]:
    return {
        "warn": condition.warn_after,
        "page": condition.page_after,
        "most": MOST_SUBJECTS,
        **condition.parameters(),
    }


def repair(reading: Reading) -> int:
    """Mends what a reading found, each subject for itself; answers how many were worked on.

    Nothing where a person must act. Of too many it takes any: the oldest may be those that can't be
    mended, and must not keep the others from it.
    """
    mend = reading.condition.repair
    if mend is None:
        return 0
    chosen = random.sample(reading.subjects, min(MOST_MENDED, len(reading.subjects)))
    return sweep(map(int, chosen), mend)
