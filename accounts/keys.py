"""API keys: made with scopes, shown once, found by their prefix, revoked for good."""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.locks import lock_merchant
from accounts.models import ApiKey
from accounts.permissions import own, require_platform
from accounts.rows import valid
from core.command import command
from core.errors import Invalid, NotFound
from core.outbox import Fact, emit

MERCHANT_SCOPES = frozenset(
    {"catalog:read", "orders:read", "orders:write", "settlements:read", "shipments:write"}
)
# Of a shopper's part, which a merchant has no hand in: a shop front's key acts for its shoppers.
SHOPPER_SCOPES = frozenset(
    {
        "catalog:read",
        "carts:write",
        "checkouts:write",
        "order_groups:read",
        "order_groups:write",
        "payments:write",
    }
)
PLATFORM_SCOPES = MERCHANT_SCOPES | SHOPPER_SCOPES | {"settlements:write"}

PREFIX_LETTERS = 10
SECRET_BYTES = 32
SECRET = re.compile(r"qs_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")
ALPHABET = string.ascii_lowercase + string.digits
# `last_used_at` is for people: to the minute is enough, and spares a write per request.
TOUCHED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its secret, which nobody can be shown again."""

    key: ApiKey
    secret: str


@command
def api_key_create(
    *,
    merchant_id: int | None,
    name: str,
    scopes: Collection[str],
    actor: Actor,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """A key of a merchant, or of the platform where that is None. Locks the merchant.

    Emits `api_key.created`. Raises Denied, NotFound `merchant.unknown`, Invalid `apikey.invalid`,
    `api_key.scopes` for a scope that a key of that kind can't have.
    """
    if merchant_id is None:
        require_platform(actor)
    else:
        lock_merchant(merchant_id, actor=actor)
    allowed = PLATFORM_SCOPES if merchant_id is None else MERCHANT_SCOPES
    if not scopes or set(scopes) - allowed:
        raise Invalid(
            "api_key.scopes",
            _("Choose among the scopes that such a key can have."),
            allowed=sorted(allowed),
        )
    prefix = "".join(secrets.choice(ALPHABET) for _place in range(PREFIX_LETTERS))
    secret = f"qs_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    key = valid(
        ApiKey(
            merchant_id=merchant_id,
            name=name,
            prefix=prefix,
            digest=_digest(secret),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
    )
    key.save(force_insert=True)
    emit([_fact(key, "api_key.created", actor)])
    return IssuedKey(key, secret)


@command
def api_key_revoke(*, prefix: str, actor: Actor) -> ApiKey:
    """Ends a key at once and for good; quiet where it is ended.

    Emits `api_key.revoked`. Raises NotFound `api_key.unknown`.
    """
    keys = own(ApiKey.objects.filter(prefix=prefix), actor=actor)
    if keys.filter(revoked_at=None).update(revoked_at=timezone.now()):
        emit([_fact(keys.get(), "api_key.revoked", actor)])
    key = keys.first()
    if key is None:
        raise NotFound("api_key.unknown", _("There is no such key."))
    return key


@command
def api_key_touch(*, key_id: int, actor: Actor) -> None:
    """Keeps that the key is in use, once a minute at most."""
    moment = timezone.now()
    due = Q(last_used_at=None) | Q(last_used_at__lte=moment - TOUCHED_EVERY)
    ApiKey.objects.filter(due, pk=key_id).update(last_used_at=moment)


def api_key_of(secret: str) -> ApiKey | None:
    """The key that this is the secret of, with its merchant, if it works now. Reads only."""
    match = SECRET.fullmatch(secret)
    key = (
        ApiKey.objects.select_related("merchant").filter(prefix=match[1]).first() if match else None
    )
    if key is None or not hmac.compare_digest(bytes(key.digest), _digest(secret)):
        return None
    expired = key.expires_at is not None and key.expires_at <= timezone.now()
    return None if key.revoked_at or expired else key


def api_key_due(key: ApiKey) -> bool:
    """True where `last_used_at` is older than it may be."""
    return key.last_used_at is None or key.last_used_at <= timezone.now() - TOUCHED_EVERY


def _digest(secret: str) -> bytes:
    """SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).digest()


def _fact(key: ApiKey, event_type: str, actor: Actor) -> Fact:
    owner = str(key.merchant_id) if key.merchant_id else None
    return Fact(
        stream=("api_key", key.pk),
        shard_key=0,
        type=event_type,
        object_id=key.pk,
        payload={
            "merchant_id": owner,
            "prefix": key.prefix,
            "scopes": key.scopes,
            "actor": str(actor),
        },
    )
