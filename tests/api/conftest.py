"""Callers of the API: programs with keys, and browsers; each speaks real requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.utils.encoding import escape_uri_path

from accounts.keys import MERCHANT_SCOPES, PLATFORM_SCOPES, api_key_create
from accounts.models import Merchant
from tests.factories import TESTER, fresh

ROOT = "/api/v1"


@dataclass
class Caller:
    """Somebody who calls; an Idempotency-Key is made up where none is given."""

    headers: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"{ROOT}{path}", parameters, headers=self.headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        key = fresh("idempotency-key-{}") if key is None else key
        return self.send("POST", path, body, **{"Idempotency-Key": key}, **headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"{ROOT}{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={**self.headers, **headers},
        )


def platform_key(*scopes: str) -> Caller:
    """A shop front's or the platform's own program."""
    return _caller(None, scopes or PLATFORM_SCOPES)


def merchant_key(merchant: Merchant, *scopes: str) -> Caller:
    """A merchant's program."""
    return _caller(merchant.pk, scopes or MERCHANT_SCOPES)


def _caller(merchant_id: int | None, scopes: Any) -> Caller:
    issued = api_key_create(merchant_id=merchant_id, name="test", scopes=scopes, actor=TESTER)
    return Caller({"Authorization": f"Bearer {issued.secret}"})


def browser() -> Caller:
    """A browser that has been to the shop: it has its CSRF token, and nobody is logged in."""
    token = "a" * 32
    caller = Caller({"X-CSRFToken": token})
    caller.client.cookies["csrftoken"] = token
    return caller


@pytest.fixture
def platform(db: None) -> Caller:
    return platform_key()


Refused = Callable[[Any, int, str], dict[str, Any]]


@pytest.fixture
def refused() -> Refused:
    """Checks the shape that every refusal has; answers its document."""

    def check(response: Any, status: int, code: str) -> dict[str, Any]:
        assert response.status_code == status, response.content
        assert response["Content-Type"] == "application/problem+json"
        document: dict[str, Any] = response.json()
        assert (document["status"], document["code"]) == (status, code)
        assert document["type"] == f"urn:quayside:problem:{code}"
        assert document["instance"] == escape_uri_path(response.wsgi_request.path)
        assert document["request_id"] == response["X-Request-Id"]
        assert set(document) >= {"title", "detail", "errors", "retryable"}
        return document

    return check
