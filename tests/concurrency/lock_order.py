"""What each transaction locks, read off its SQL, and whether all of them keep one order."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from django.db import connection

from core import command
from core.command import RunningTransaction
from orders import locks

STOCK = "inventory_stockitem"
# The words of the order that `orders/locks.py` documents.
TABLES = {
    "cart": "orders_cart",
    "group": "orders_ordergroup",
    "orders by id": "orders_order",
    "cancel requests": "orders_cancelrequest",
    "payments": "payments_payment",
    "attempts": "payments_attempt",
    "captures": "payments_capture",
    "refunds": "payments_refund",
    "chargebacks": "payments_chargeback",
    "transfers by hand": "payments_manualtransfer",
    "lines of statements": "payments_linematch",
    "store credit": "payments_creditaccount",
    "differences": "payments_difference",
    "shipments": "delivery_shipment",
    "vouchers": "orders_voucher",
    "merchants": "accounts_merchant",
    "statements": "payments_statement",
    "payouts": "payments_payout",
    "reservations (each by id)": "inventory_reservation",
    "outbox streams": "core_outboxstream",
    "stock rows by id, last, and then commit": STOCK,
}
TO_COME = {"returns"}
# Rows that belong to another and are changed behind its lock only: they count as that.
PARENTS = {
    "orders_cartline": "orders_cart",
    "orders_orderline": "orders_order",
    "orders_voucheruse": "orders_ordergroup",
    "payments_paymentshare": "payments_payment",
    "payments_payouthold": "accounts_merchant",
}

SOURCE = re.compile(r'\b(?:FROM|JOIN)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?')
INSERTED = re.compile(r'INSERT INTO "?(\w+)"?')
LOCKING = re.compile(
    r'FOR NO KEY UPDATE(?: OF "?(?P<selected>\w+)"?)?'
    r'|(?<!KEY )(?<!DO )UPDATE "?(?P<updated>\w+)"?'
    r'|DELETE FROM "?(?P<deleted>\w+)"?'
    r'|INSERT INTO "?(?P<extended>\w+)"?(?=(?:(?!INSERT INTO).)*?DO UPDATE)',
    re.DOTALL,
)


@dataclass(slots=True)
class Trace:
    """A transaction: the tables whose rows it locks, as each is first met, and how it ends."""

    name: str
    tables: list[str] = field(default_factory=list)
    after_stock: list[str] = field(default_factory=list)
    _born: set[str] = field(default_factory=set)
    _savepoints: dict[str, list[str]] = field(default_factory=dict)

    def save(self, name: str) -> None:
        """A part begins that may be undone."""
        self._savepoints[name] = list(self.tables)

    def undo(self, name: str) -> "Trace":
        """Forgets what was locked since, as the database does; answers the trace as it was."""
        undone = Trace(self.name, self.tables, self.after_stock)
        self.tables, self.after_stock = self._savepoints[name], []
        return undone

    def note(self, sql: str) -> None:
        if STOCK in self.tables and not sql.startswith("RELEASE"):
            self.after_stock.append(sql)
        for how, name in locks_of(sql):
            table = PARENTS.get(name, name)
            # What it has inserted itself nobody else can see, and nobody waits for.
            if table not in self.tables and not (how == "updated" and table in self._born):
                self.tables.append(table)
        self._born |= set(INSERTED.findall(sql))


def locks_of(sql: str) -> Iterator[tuple[str, str]]:
    """How and in which tables a statement locks rows, in the order of its text."""
    aliases = {alias: table for table, alias in SOURCE.findall(sql) if alias}
    for match in LOCKING.finditer(sql):
        how = match.lastgroup or "selected"
        # Without OF it is the table that it selects from.
        name: str = match[how] or SOURCE.findall(sql[: match.start()])[-1][0]
        yield how, aliases.get(name, name)


class Recorder:
    """Collects a trace of every transaction of a command on this thread's connection."""

    def __init__(self) -> None:
        self.traces: list[Trace] = []
        self.service = ""
        self._token: RunningTransaction | None = None

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        token: RunningTransaction | None = getattr(connection, "quayside_transaction", None)
        if token:
            if token is not self._token:
                self._token = token
                # A carrier's first statement names the consumer that it carries.
                consumer = params.get("consumer", "") if isinstance(params, dict) else ""
                self.traces.append(Trace(consumer or self.service))
            self._note(sql)
        return execute(sql, params, many, context)

    def _note(self, sql: str) -> None:
        trace, [name] = self.traces[-1], sql.split()[-1:]
        if sql.startswith("SAVEPOINT"):
            trace.save(name)
        elif sql.startswith("ROLLBACK TO SAVEPOINT"):
            self.traces.insert(-1, trace.undo(name))
        else:
            trace.note(sql)


@contextmanager
def recorded() -> Iterator[list[Trace]]:
    """The traces of what runs inside, each named for its service or its consumer."""
    recorder, own_transaction = Recorder(), command._in_own_transaction

    def named(service: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        recorder.service = f"{service.__module__}.{service.__name__}"
        return own_transaction(service, *args, **kwargs)

    command._in_own_transaction = named
    try:
        with connection.execute_wrapper(recorder):
            yield recorder.traces
    finally:
        command._in_own_transaction = own_transaction


def documented() -> Trace:
    """The global order, read from where it is written."""
    [arrows] = re.findall(r"^    cart .*?(?=\n\n)", locks.__doc__ or "", re.DOTALL | re.MULTILINE)
    words = [" ".join(word.split()).rstrip(",") for word in arrows.split("→")]
    return Trace("orders/locks.py", [TABLES[word] for word in words if word not in TO_COME])


def inversions(traces: Iterable[Trace]) -> list[str]:
    """Pairs of tables that are locked in both orders, with who does which."""
    by_pair: dict[tuple[str, str], set[str]] = defaultdict(set)
    for trace in traces:
        for pair in combinations(trace.tables, 2):
            by_pair[pair].add(trace.name)
    return [
        f"{first} → {second} in {_list(names)}; {second} → {first} in {_list(opposite)}"
        for (first, second), names in sorted(by_pair.items())
        if first < second and (opposite := by_pair.get((second, first)))
    ]


def stragglers(traces: Sequence[Trace]) -> list[str]:
    """What is done while the stock's rows are locked already."""
    return sorted({f"{trace.name}: {sql[:60]}" for trace in traces for sql in trace.after_stock})


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))
