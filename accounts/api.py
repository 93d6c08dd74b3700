"""Who calls the API: a program by its key, or a shopper by the session of their browser."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.actors import Actor, Role
from accounts.keys import (
    MERCHANT_SCOPES,
    PLATFORM_SCOPES,
    SHOPPER_SCOPES,
    api_key_due,
    api_key_of,
    api_key_touch,
)
from accounts.models import ApiKey, Customer, Merchant
from accounts.selectors import verified_customer

READING = ("GET", "HEAD", "OPTIONS")
DIGEST_LETTERS = 32
CART_OF_SESSION = "cart"  # the session's key that holds the token of its cart


@dataclass(frozen=True, slots=True)
class Shopper:
    """A browser: the cart that its session opens, and the customer whose proven address it has."""

    cart_token: str
    customer: Customer | None


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: what it may do, and in whose name. `shopper` is None for a program."""

    name: str
    tenant: str
    actor: Actor
    scopes: frozenset[str]
    shopper: Shopper | None = None


def caller(request: Request) -> Principal:
    """Who calls; every view but those that anybody may see has one."""
    principal: Any = request.auth
    assert isinstance(principal, Principal), "HasScope lets nobody else in"
    return principal


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer qs_…`."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        """Raises AuthenticationFailed in the same words whatever is wrong with the key."""
        header = get_authorization_header(request).decode("latin-1")
        if not header:
            return None
        kind, _space, secret = header.partition(" ")
        key = api_key_of(secret.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise AuthenticationFailed(_("This key does not work."))
        principal = principal_of_key(key)
        # A read changes nothing, so it leaves no trace of its key either.
        if request.method not in READING and api_key_due(key):
            api_key_touch(key_id=key.pk, actor=principal.actor)
        return AnonymousUser(), principal

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def principal_of_key(key: ApiKey) -> Principal:
    """A merchant that may not sell still fulfils what it has sold; a closed one only looks."""
    name = f"key:{key.prefix}"
    scopes = frozenset(key.scopes)
    if key.merchant is None:
        return Principal(name, "platform", Actor(Role.STAFF, name), scopes & PLATFORM_SCOPES)
    scopes &= MERCHANT_SCOPES
    if key.merchant.state == Merchant.State.CLOSED:
        scopes = frozenset(scope for scope in scopes if scope.endswith(":read"))
    merchant_id = key.merchant.pk
    actor = Actor(Role.MERCHANT, f"{merchant_id}/{name}")
    return Principal(name, f"merchant:{merchant_id}", actor, scopes)


class BrowserAuthentication(SessionAuthentication):
    """The cookies of a browser that has been to the shop, logged in or not, with its CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        """Raises PermissionDenied for a change without the token."""
        user = request._request.user  # noqa: SLF001 as in the class above
        token = request._request.session.get(CART_OF_SESSION, "")  # noqa: SLF001
        # A cookie that opens no session is nobody's; without a session there is the token's cookie.
        if not (user.is_authenticated or token or settings.CSRF_COOKIE_NAME in request.COOKIES):
            return None
        self.enforce_csrf(request)
        customer = verified_customer(user=user) if user.is_authenticated else None
        return user, principal_of_shopper(Shopper(token, customer))


def principal_of_shopper(shopper: Shopper) -> Principal:
    """A guest is told from others by the cart; its token opens the cart, so no record holds it."""
    if shopper.customer:
        name = customer = str(shopper.customer.pk)
    else:
        digest = hashlib.sha256(shopper.cart_token.encode()).hexdigest()
        name, customer = f"cart:{digest[:DIGEST_LETTERS]}", "guest"
    return Principal(name, "shopper", Actor(Role.BUYER, customer), SHOPPER_SCOPES, shopper)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key in the OpenAPI document."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `qs_…`."}


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The shopper's session in the OpenAPI document."""

    target_class = BrowserAuthentication
    name = "browserSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The shop's own cookie; changes also need the header `X-CSRFToken`.",
        }
