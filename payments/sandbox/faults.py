"""What the sandbox does wrong when it is told to. Seeded: the n-th of its kind always fares the same."""

import json
import sqlite3
import threading
import time
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from random import Random
from typing import Any

from . import notifier
from .book import Book, stamp
from .server import Answer, Handle, Request, RequestError, Route, bad_request, json_answer

SCHEMA = """
CREATE TABLE IF NOT EXISTS fault (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    rates TEXT NOT NULL
);
"""
SET = "INSERT INTO fault VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET rates = excluded.rates"
NEXT_NUMBER = "SELECT coalesce(max(sequence), 0) + 1 FROM notification"
# An order of its own: whatever else is told of the key overtakes it.
OVERTAKEN = "UPDATE notification SET due_at = ?, key = key || '#' || sequence WHERE id = ?"
HOLD_BACK = "UPDATE notification SET due_at = ? WHERE id = ?"
MOST_SECONDS = 3600
LONGEST_SEED = 100
AMOUNTS = ("amount_minor", "captured_minor", "refunded_minor")


@dataclass(frozen=True)
class Rates:
    """How many in a hundred: notifications are dropped, told twice, held back, overtaken by later
    ones; amounts are lied about; answers are an error, or late, after the deed is done.
    """

    drop: float = 0
    duplicate: float = 0
    delay: float = 0
    reorder: float = 0
    lie_in_notification: float = 0
    lie_in_answer: float = 0
    lie_in_list: float = 0
    fail: float = 0
    late: float = 0
    delay_seconds: float = 2
    late_seconds: float = 6
    seed: str = ""

    def hits(self, fault: str, number: int) -> bool:
        """True where the fault befalls the one of that number."""
        percent: float = getattr(self, fault)
        return self._draw(fault, number).random() * 100 < percent

    def lied(self, fault: str, number: int, amount_minor: int) -> int:
        """Another amount, always above nothing."""
        draw = self._draw(f"{fault} by", number)
        by_minor = draw.randint(1, max(1, amount_minor // 2))
        return amount_minor + by_minor * (1 if by_minor >= amount_minor else draw.choice((-1, 1)))

    def _draw(self, fault: str, number: int) -> Random:
        return Random(f"{self.seed}:{fault}:{number}")  # noqa: S311 to be repeated, not to be kept secret


SECONDS = {"delay_seconds", "late_seconds"}


def current(database: sqlite3.Connection) -> Rates:
    row = database.execute("SELECT rates FROM fault").fetchone()
    return Rates(**json.loads(row["rates"])) if row else Rates()


def announce(
    database: sqlite3.Connection,
    *,
    kind: str,
    key: str,
    at: str,
    copies: int = 1,
    amount_minor: int,
    **facts: object,
) -> None:
    """Records what is told of a fact, as well or as badly as the faults have it."""
    rates = current(database)
    (number,) = database.execute(NEXT_NUMBER).fetchone()
    if rates.hits("lie_in_notification", number):
        amount_minor = rates.lied("lie_in_notification", number, amount_minor)
    copies = 0 if rates.hits("drop", number) else copies + rates.hits("duplicate", number)
    told = {**facts, "amount_minor": amount_minor}
    identifier = notifier.announce(database, kind=kind, key=key, at=at, copies=copies, **told)
    later = stamp(datetime.now(UTC) + timedelta(seconds=rates.delay_seconds))
    if rates.hits("reorder", number):
        database.execute(OVERTAKEN, (later, identifier))
    elif rates.hits("delay", number):
        database.execute(HOLD_BACK, (later, identifier))


class Faults:
    """Spoils answers, and is told by `/control/faults` what to spoil."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._numbers = count(1)
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/control/faults", self.show),
            Route("POST", "/control/faults", self.set),
        ]

    def show(self, request: Request) -> Answer:
        with self._book.transaction() as database:
            return json_answer(asdict(current(database)))

    def set(self, request: Request) -> Answer:
        """What is not named happens no more; answers are counted anew."""
        rates = _rates(request.members())
        with self._book.transaction() as database:
            database.execute(SET, (json.dumps(asdict(rates)),))
        with self._lock:
            self._numbers = count(1)
        return json_answer(asdict(rates))

    def spoiled(self, route: Route) -> Route:
        """The route, whose answers may go wrong once all is done that was asked for."""
        return replace(route, handle=self._spoiled(route.handle))

    def _spoiled(self, handle: Handle) -> Handle:
        def answer(request: Request) -> Answer:
            return self._spoil(handle(request))

        return answer

    def _spoil(self, answer: Answer) -> Answer:
        with self._book.transaction() as database:
            rates = current(database)
        with self._lock:
            number = next(self._numbers)
        if rates.hits("late", number):
            time.sleep(rates.late_seconds)
        if rates.hits("fail", number):
            message = "The sandbox failed, as it was told to."
            raise RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message)
        if rates.hits("lie_in_answer", number):
            return _lying(answer, rates, number)
        return answer


def _lying(answer: Answer, rates: Rates, number: int) -> Answer:
    """The same answer, about other amounts where it names any."""
    document = json.loads(answer.body)
    for name in AMOUNTS:
        if document.get(name):
            document[name] = rates.lied("lie_in_answer", number, document[name])
    return json_answer(document, answer.status)


def _rates(members: dict[str, Any]) -> Rates:
    known = {field.name for field in fields(Rates)}
    for name, value in members.items():
        if name not in known:
            raise bad_request(f"{name} is no fault that is known.")
        if name == "seed":
            if not isinstance(value, str) or len(value) > LONGEST_SEED:
                raise bad_request(f"seed must be a text of at most {LONGEST_SEED} characters.")
            continue
        most = MOST_SECONDS if name in SECONDS else 100
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise bad_request(f"{name} must be a number from 0 to {most}.")
    return Rates(**members)
