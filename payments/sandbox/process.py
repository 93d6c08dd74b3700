"""What makes a process of it: the command line, and an orderly end."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from .server import Server

log = logging.getLogger(__name__)


def command_line(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--book", type=Path, required=True, help="the SQLite file, made if missing")
    parser.add_argument(
        "--secret",
        type=_secret,
        default=os.environ.get("SANDBOX_SECRET"),
        required="SANDBOX_SECRET" not in os.environ,
        help="whsec_…, signs what is told; better given as SANDBOX_SECRET, which nobody can list",
    )
    parser.add_argument("--notify-url", type=_url, required=True, help="where notifications go")
    return parser


def _secret(text: str) -> str:
    try:
        Webhook(text)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise argparse.ArgumentTypeError("it must be whsec_ and base64") from error
    return text


def _url(text: str) -> str:
    try:
        if httpx.URL(text).scheme in {"http", "https"}:
            return text
    except httpx.InvalidURL:
        pass
    raise argparse.ArgumentTypeError("it must be an http or https address")


def serve(server: Server) -> None:
    """Until SIGTERM or SIGINT. Nothing is saved then: the book is complete at every moment."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    host, port = server.server_address[:2]
    log.info("Answering on http://%s:%s", host, port)
    try:
        server.serve_forever()
    finally:
        server.server_close()
