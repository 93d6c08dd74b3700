"""What a command finds in its environment where nobody configured one: the demo's own secrets."""

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path

from core.management.embedded import make_private

DEFAULT_PORT = "8000"


def load_demo_environment(state_dir: Path, *, keep_port: bool = False) -> None:
    """Set what the environment does not: DEMO, its port, and secrets made once per state folder.

    A kept port is what later commands take for granted: they find what `up` runs.
    """
    make_private(state_dir)
    port_file = state_dir / "port"
    if keep_port:
        write_private(port_file, os.environ["PORT"])
    known = {
        "DEMO": "1",
        "PORT": read(port_file) or DEFAULT_PORT,
        "EMAIL_URL": "dummymail://",  # the demo's mailbox is a page over what was written
        **demo_secrets(state_dir),
    }
    for name, value in known.items():
        os.environ.setdefault(name, value)


def demo_secrets(state_dir: Path) -> dict[str, str]:
    """The values of demo.env, written on first use and readable by its owner only."""
    path = state_dir / "demo.env"
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        write_private(draft, "".join(f"{name}={value}\n" for name, value in new_secrets().items()))
        # A link, unlike a rename, never replaces what another command wrote at the same moment.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return dict(line.split("=", 1) for line in read(path).splitlines())


def new_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ORDER_NUMBER_KEY": secrets.token_hex(32),
        "SANDBOX_ENDPOINT_ID": secrets.token_hex(16),
        "SANDBOX_PAYMENT_SECRETS": webhook_secret(),
        "SANDBOX_CARRIER_SECRETS": webhook_secret(),
    }


def webhook_secret() -> str:
    """A Standard Webhooks secret: 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at no moment anybody else."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
