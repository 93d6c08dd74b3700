"""`a[b][c]=1` as nested objects: what Stripe takes instead of JSON."""

import re
from typing import Any
from urllib.parse import parse_qsl

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found = NAME.fullmatch(name)
        assert found, name
        parts = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        target = document
        for part in parts[:-1]:
            target = target.setdefault(part, {})
        target[parts[-1]] = value
    return {name: _lists(value) for name, value in document.items()}


def _lists(value: Any) -> Any:
    """An object whose members are numbered is a list."""
    if not isinstance(value, dict):
        return value
    members = {name: _lists(each) for name, each in value.items()}
    if members and all(name.isdecimal() for name in members):
        return [members[name] for name in sorted(members, key=int)]
    return members
