"""The whole shop as a server runs it; every answer says how many statements it took.

BEGIN and COMMIT are none. It is made from the settings: the bench stands below the edges that it
asks.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import connection

shop = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The shop's answer, with a header more."""
    statements = 0

    def counted(execute: Callable[..., Any], *call: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*call)

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("Statements", str(statements))], *rest)

    with connection.execute_wrapper(counted):
        return shop(environ, start)
