"""A payment channel as a process of its own: `python -m payments.sandbox --help`."""

import logging

from . import (
    captures,
    faults,
    notifier,
    payments,
    payouts,
    process,
    refunds,
    settlements,
    transactions,
)
from .api import Api
from .book import Book
from .captures import Captures
from .faults import Faults
from .notifier import Notifier
from .page import PayPage
from .payments import Payments
from .payouts import Payouts
from .refunds import Refunds
from .server import Server
from .settlements import Settlements
from .timer import Timer

PARTS = (
    *(notifier, payments, captures, refunds, payouts),
    *(transactions, faults, settlements),
)
SCHEMAS = [part.SCHEMA for part in PARTS]


def main() -> None:
    parser = process.command_line("A payment channel with a durable book.")
    parser.add_argument("--slow-seconds", type=float, default=3, help="how long tok_slow takes")
    parser.add_argument("--public-url", help="the pay page's address as browsers see it")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    book = Book(arguments.book, *SCHEMAS)
    all_payments = Payments(
        book,
        public_url=arguments.public_url or f"http://{arguments.host}:{arguments.port}",
        slow_seconds=arguments.slow_seconds,
    )
    all_faults = Faults(book)
    edges = (
        Api(all_payments, Captures(book), Refunds(book), Payouts(book), all_faults),
        PayPage(all_payments),
        Settlements(book),
        all_faults,
    )
    routes = [route for edge in edges for route in edge.routes()]
    server = Server((arguments.host, arguments.port), routes)
    Notifier(book, arguments.notify_url, arguments.secret).start()
    Timer(all_payments).start()
    process.serve(server)


if __name__ == "__main__":
    main()
