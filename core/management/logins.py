"""The demo's logins: random secrets, made once and kept where only their owner may read."""

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path

from core.management.environment import read, write_private


def logins_file(state_dir: Path) -> Path:
    return state_dir / "logins.json"


def totp_file(state_dir: Path) -> Path:
    return state_dir / "totp.json"


def known_logins(state_dir: Path) -> dict[str, str]:
    """Password by e-mail address."""
    return _known(logins_file(state_dir))


def known_totp_secrets(state_dir: Path) -> dict[str, str]:
    """The secret of the one-time codes by e-mail address, for who needs one."""
    return _known(totp_file(state_dir))


def password_for(email: str, *, state_dir: Path) -> str:
    """The kept password of a demo user; made and kept on the first call."""
    return _kept(logins_file(state_dir), email, lambda: secrets.token_urlsafe(9))


def totp_secret_for(email: str, *, state_dir: Path) -> str:
    """The kept secret of a demo user's one-time codes; made and kept on the first call."""
    return _kept(
        totp_file(state_dir), email, lambda: base64.b32encode(secrets.token_bytes(20)).decode()
    )


def _known(file: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads(read(file) or "{}")
    return kept


def _kept(file: Path, email: str, new: Callable[[], str]) -> str:
    kept = _known(file)
    if email not in kept:
        kept[email] = new()
        write_private(file, json.dumps(kept, indent=2))
    return kept[email]
