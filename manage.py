#!/usr/bin/env python3
"""The command line. Starts the embedded PostgreSQL where a command needs it and none is given."""

import atexit
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from core.management.embedded import EmbeddedServer, EmbeddedServerError
from core.management.environment import load_demo_environment

BASE_DIR = Path(__file__).resolve().parent
WITHOUT_DATABASE = {
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "states",
    "totp",
    "version",
}
# These run longer than a request may.
LONG_RUNNING = {"audit", "bench", "migrate"}


def main(arguments: Sequence[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if set(arguments[:1]) & LONG_RUNNING:
        os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "0")
    provide_database(arguments)
    from django.core.management import execute_from_command_line

    from core.origin import coming_from, request_id_of

    name = arguments[0] if arguments else "help"
    with coming_from("command", f"{name}-{request_id_of('')}"):
        execute_from_command_line([sys.argv[0], *arguments])


def provide_database(arguments: Sequence[str]) -> None:
    """The embedded server for as long as the command runs; nothing where it needs none."""
    options = early_options(arguments)
    state_dir = Path(options.state_dir).resolve()
    os.environ["STATE_DIR"] = str(state_dir)
    if options.port:
        os.environ["PORT"] = str(options.port)
    external = os.environ.get("DATABASE_URL")
    if options.demo or os.environ.get("DEMO") == "1" or not external:
        load_demo_environment(state_dir, keep_port=options.port is not None)
    if external:
        return
    server = EmbeddedServer(state_dir)
    os.environ["DATABASE_URL"] = server.url
    if needs_database(arguments):
        # Last of all: what the command registers to be done at exit may need the database.
        atexit.register(server.leave)
        server.join()


def early_options(arguments: Sequence[str]) -> Namespace:
    """What must be known before the settings are read."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--state-dir", default=os.environ.get("STATE_DIR", BASE_DIR / "var"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--demo", action="store_true")
    is_up = arguments[:1] == ["up"]
    return parser.parse_known_args(arguments if is_up else [])[0]


def needs_database(arguments: Sequence[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    if arguments[0] == "check":
        return "--database" in arguments
    return arguments[0] not in WITHOUT_DATABASE


def leave_in_order(number: int, frame: object) -> None:
    """Unwind instead of dying, so that the last to leave stops the server."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    # Set also where the shell that started this in the background had them ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, leave_in_order)
    signal.signal(signal.SIGHUP, leave_in_order)
    try:
        main(sys.argv[1:])
    except EmbeddedServerError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
