"""Checked values out of a request's members."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from .book import stamp
from .server import bad_request

KEY = re.compile(r"[!-~]{1,255}")


def text(fields: Mapping[str, Any], name: str, pattern: re.Pattern[str], meaning: str) -> str:
    """The member as text that matches the whole pattern; `meaning` ends the refusal's sentence."""
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise bad_request(f"{name} must be {meaning}.")
    return value


def key(fields: Mapping[str, Any], name: str = "key") -> str:
    return text(fields, name, KEY, "1 to 255 visible ASCII characters")


def choice(fields: Mapping[str, Any], name: str, choices: Collection[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in choices:
        raise bad_request(f"{name} must be one of: {', '.join(filter(None, choices))}.")
    return value


def moment(fields: Mapping[str, Any], name: str) -> str:
    """The member, an ISO 8601 time with its offset, as a stamp."""
    try:
        parsed = datetime.fromisoformat(fields[name])
        if parsed.tzinfo is not None:
            return stamp(parsed)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    raise bad_request(
        f"{name} must be an ISO 8601 time with its offset, such as 2026-01-31T12:00:00Z."
    )
