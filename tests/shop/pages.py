"""Reading a page as its shopper does."""

import gzip
import re
from typing import Any

from django.test import Client

from accounts.models import User
from catalog.models import Sku

PASSWORD = "correct horse battery"


def text_of(answer: Any) -> str:
    """The words of a page, each run of blanks one space."""
    without_tags = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", without_tags.replace("&nbsp;", " ").replace("\xa0", " "))


def gzipped_bytes(content: bytes) -> int:
    """What travels, as a server compresses it by default."""
    return len(gzip.compress(content, 6))


def add(client: Client, sku: Sku, quantity: object = 1) -> Any:
    """The shopper presses the button on the product's page."""
    given = {"sku": str(sku.pk), "quantity": str(quantity)}
    return client.post(f"/p/{sku.product.slug}/add/", given)


def log_in(client: Client, user: User) -> Any:
    """By the form, as people do."""
    return client.post("/account/login/", {"login": user.email, "password": PASSWORD})
