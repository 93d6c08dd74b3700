"""From what a browser sends to values."""

import re

from django.http import HttpRequest

LARGEST = 2**63 - 1  # what PostgreSQL's bigint holds


def whole_number(request: HttpRequest, name: str) -> int | None:
    """The posted field as a number of at least 0; None where it is none."""
    return as_number(request.POST.get(name, ""))


def as_number(text: str) -> int | None:
    """The text as a number of at least 0; None where it is none."""
    number = int(text) if re.fullmatch(r"[0-9]{1,19}", text := text.strip()) else LARGEST + 1
    return number if number <= LARGEST else None
