"""Keys: made with scopes, shown once, compared in constant time, ended for good."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.actors import Actor, Role
from accounts.api import principal_of_key
from accounts.keys import api_key_create, api_key_revoke
from accounts.models import ApiKey, Merchant
from accounts.permissions import merchant_actor
from accounts.services import merchant_suspend
from core.errors import Denied, DomainError, Invalid, NotFound
from core.models import OutboxEvent
from tests.api.conftest import Caller, Refused, merchant_key, platform_key
from tests.api.walk import done, order_of, paid, shipped
from tests.factories import TESTER, make_merchant
from tests.factories.story import make_delivering_merchant, make_stocked_sku

pytestmark = pytest.mark.django_db
READ = ["catalog:read"]


def issued(**fields):
    given = {"merchant_id": None, "name": "test", "scopes": READ, "actor": TESTER, **fields}
    return api_key_create(**given)


def calls_with(header: str):
    return Caller({"Authorization": header}).get("/products")


def test_of_the_secret_only_the_digest_is_kept() -> None:
    made = issued()
    row = ApiKey.objects.get()
    assert made.secret.startswith(f"qs_{row.prefix}_")
    random_part = made.secret.split("_", 2)[2]
    assert random_part not in str({**vars(row), "digest": bytes(row.digest)})
    assert calls_with(f"Bearer {made.secret}").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda secret: f"Bearer {secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}",
        lambda secret: f"Bearer {secret[3:]}",
        lambda secret: f"Bearer qs_{'x' * 10}_{secret.split('_', 2)[2]}",
        lambda secret: f"Bearer {secret}x",
        lambda secret: f"Basic {secret}",
        lambda secret: "Bearer",
        lambda secret: "Bearer \u00e9",
        lambda secret: secret,
    ],
)
def test_what_is_not_the_secret_opens_nothing(refused: Refused, spoil) -> None:
    response = calls_with(spoil(issued().secret))
    refused(response, 401, "key-invalid")
    assert response["WWW-Authenticate"] == "Bearer"


def test_nobody_at_all_is_told_the_same(refused: Refused) -> None:
    refused(Caller().get("/products"), 401, "key-invalid")
    refused(Caller().post("/carts"), 401, "key-invalid")


def test_an_expired_key_does_not_work(refused: Refused) -> None:
    past, future = (timezone.now() + timedelta(seconds=pause) for pause in (-1, 60))
    refused(calls_with(f"Bearer {issued(expires_at=past).secret}"), 401, "key-invalid")
    assert calls_with(f"Bearer {issued(expires_at=future).secret}").status_code == 200


def test_a_revoked_key_does_not_work_and_is_revoked_once(refused: Refused) -> None:
    made = issued()
    first = api_key_revoke(prefix=made.key.prefix, actor=TESTER)
    assert api_key_revoke(prefix=made.key.prefix, actor=TESTER).revoked_at == first.revoked_at
    refused(calls_with(f"Bearer {made.secret}"), 401, "key-invalid")
    told = OutboxEvent.objects.filter(type__startswith="api_key.").order_by("seq")
    assert [event.type for event in told] == ["api_key.created", "api_key.revoked"]


def test_a_merchant_makes_and_ends_its_own_keys_only() -> None:
    merchant, other = make_merchant(), make_merchant()
    actor = merchant_actor(merchant_id=merchant.pk, user_id=1)
    own = issued(merchant_id=merchant.pk, actor=actor)
    for merchant_id, kind in ((other.pk, NotFound), (None, Denied)):
        with pytest.raises(kind):
            issued(merchant_id=merchant_id, actor=actor)
    with pytest.raises(NotFound):
        api_key_revoke(prefix=own.key.prefix, actor=merchant_actor(merchant_id=other.pk, user_id=2))
    assert api_key_revoke(prefix=own.key.prefix, actor=actor).revoked_at


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"scopes": []}, "api_key.scopes"),
        ({"scopes": ["orders:everything"]}, "api_key.scopes"),
        ({"name": ""}, "apikey.invalid"),
        ({"name": "a\0"}, "apikey.invalid"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(fields, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        issued(**fields)
    assert refusal.value.code == code


@pytest.mark.parametrize("scope", ["carts:write", "checkouts:write", "payments:write"])
def test_a_merchant_can_have_no_key_for_a_shoppers_part(scope: str) -> None:
    with pytest.raises(DomainError) as refusal:
        issued(merchant_id=make_merchant().pk, scopes=[scope])
    assert refusal.value.code == "api_key.scopes"


def test_last_use_is_kept_once_a_minute_and_never_by_a_read() -> None:
    caller = platform_key()
    caller.get("/products")
    assert ApiKey.objects.get().last_used_at is None
    caller.post("/carts")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    caller.post("/carts")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    caller.post("/carts")
    assert ApiKey.objects.filter(last_used_at__gte=first).exists()


def test_a_suspended_merchant_fulfils_what_it_has_sold(platform: Caller) -> None:
    merchant = make_delivering_merchant()
    group = paid(platform, make_stocked_sku(merchant))
    merchant_suspend(merchant_id=merchant.pk, actor=TESTER)
    assert (
        shipped(merchant_key(merchant), order_of(group, merchant)["id"])["state"] == "handed_over"
    )


def test_a_closed_merchant_only_looks(refused: Refused) -> None:
    merchant = make_merchant()
    key = merchant_key(merchant)
    Merchant.objects.filter(pk=merchant.pk).update(state="closed")
    assert done(key.get("/orders"))["data"] == []
    refused(key.post("/orders/1/acknowledge"), 403, "scope-missing")


def test_the_command_prints_the_secret_once_and_ends_the_key() -> None:
    merchant = make_merchant()
    out = StringIO()
    named = ["--name=ERP", "--actor=ops"]
    call_command("api_key", "create", f"--merchant={merchant.slug}", *named, stdout=out)
    call_command("api_key", "create", "--platform", "--scope=catalog:read", *named, stdout=out)
    secrets = out.getvalue().split()
    assert [calls_with(f"Bearer {secret}").status_code for secret in secrets] == [200, 200]
    keys = ApiKey.objects.order_by("pk")
    assert [key.merchant for key in keys] == [merchant, None]
    assert keys[1].scopes == READ
    call_command("api_key", "revoke", keys[0].prefix, "--actor=ops", stdout=out)
    assert calls_with(f"Bearer {secrets[0]}").status_code == 401


def test_the_command_refuses_in_words() -> None:
    with pytest.raises(CommandError, match="no merchant"):
        call_command("api_key", "create", "--merchant=nobody", "--name=x", "--actor=ops")
    with pytest.raises(CommandError, match="no such key"):
        call_command("api_key", "revoke", "nothing", "--actor=ops")


def test_a_key_acts_in_its_own_name() -> None:
    made = issued(merchant_id=make_merchant().pk)
    principal = principal_of_key(made.key)
    assert principal.actor == Actor(Role.MERCHANT, f"{made.key.merchant_id}/key:{made.key.prefix}")
