"""What the shop's pages tell about a visit, for figures alone."""

from typing import Any

from django.http import HttpRequest


def tell(request: HttpRequest, name: str, **fields: Any) -> None:
    """Puts a fact on the request; nothing where nobody gathers them (`analytics.middleware`)."""
    facts = getattr(request, "facts", None)
    if facts is not None:
        facts.append({"name": name, **fields})
