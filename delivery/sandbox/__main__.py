"""A carrier as a process of its own: `python -m delivery.sandbox --help`."""

import logging

from . import notifier, parcels, process
from .api import Api
from .book import Book
from .notifier import Notifier
from .parcels import Parcels
from .server import Server


def main() -> None:
    arguments = process.command_line("A carrier with a durable book.").parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    book = Book(arguments.book, notifier.SCHEMA, parcels.SCHEMA)
    server = Server((arguments.host, arguments.port), Api(Parcels(book)).routes())
    Notifier(book, arguments.notify_url, arguments.secret).start()
    process.serve(server)


if __name__ == "__main__":
    main()
