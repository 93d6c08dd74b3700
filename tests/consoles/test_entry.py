"""Who comes into which console, and by which way."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.consoles import PlatformModelAdmin, merchant_site, platform_site
from accounts.models import Address, User
from accounts.totp import totp_code, totp_give
from core.management.logins import totp_secret_for
from tests.consoles.world import TOTP_SECRET, member_client, staff_client
from tests.factories import make_merchant, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def no_earlier_tries() -> None:
    """Allauth counts logins, and remembers the codes that were shown."""
    cache.clear()


def make_staff() -> User:
    user = make_user(is_staff=True, password=PASSWORD)
    totp_give(user=user, secret=TOTP_SECRET)
    return user


def log_in(client: Client, user: User, target: str) -> Any:
    form = {"login": user.email, "password": PASSWORD}
    return client.post(f"/account/login/?next={target}", {**form, "next": target})


@pytest.mark.parametrize("site", ["merchant", "platform"])
def test_who_is_not_logged_in_is_led_to_the_login_and_back(client: Client, site: str) -> None:
    answer = client.get(f"/{site}/", follow=True)
    assert answer.redirect_chain[-1][0] == f"/account/login/?next=/{site}/"


def test_staff_come_in_with_password_and_code(client: Client) -> None:
    user = make_staff()
    asks = log_in(client, user, "/platform/")
    assert asks.headers["Location"].startswith("/account/2fa/authenticate/")
    assert client.get("/platform/").status_code == 302

    answer = client.post(asks.headers["Location"], {"code": totp_code(TOTP_SECRET)})

    assert answer.headers["Location"] == "/platform/"
    assert client.get("/platform/").status_code == 200


def test_a_session_of_staff_that_has_shown_no_code_is_asked_for_one(client: Client) -> None:
    client.force_login(make_staff())
    answer = client.get("/platform/orders/order/", follow=True)
    path, _status = answer.redirect_chain[-1]
    assert path == "/account/2fa/reauthenticate/?next=/platform/orders/order/"

    answer = client.post(path, {"code": totp_code(TOTP_SECRET), "next": "/platform/orders/order/"})

    assert answer.headers["Location"] == "/platform/orders/order/"
    assert client.get("/platform/orders/order/").status_code == 200


def test_a_wrong_code_opens_nothing(client: Client) -> None:
    client.force_login(make_staff())
    client.post("/account/2fa/reauthenticate/?next=/platform/", {"code": "000000"})
    assert client.get("/platform/").status_code == 302


def test_staff_without_codes_are_led_to_set_them_up(client: Client) -> None:
    user = make_user(is_staff=True, password=PASSWORD)
    log_in(client, user, "/")
    answer = client.get("/platform/", follow=True)
    assert answer.redirect_chain[1][0] == "/account/2fa/totp/activate/?next=/platform/"
    assert answer.status_code == 200  # the password once more comes first


def test_a_shown_code_is_worth_nothing_once_the_factor_is_gone() -> None:
    client = staff_client()
    assert client.get("/platform/").status_code == 200
    Authenticator.objects.all().delete()
    assert client.get("/platform/").status_code == 302


@pytest.mark.parametrize("site", ["merchant", "platform"])
def test_a_shopper_is_turned_away(client: Client, site: str) -> None:
    client.force_login(make_user())
    assert client.get(f"/{site}/", follow=True).status_code == 403


def test_a_member_does_not_come_into_the_platforms_console() -> None:
    client = member_client(make_merchant())
    assert client.get("/merchant/").status_code == 200
    assert client.get("/platform/", follow=True).status_code == 403


def test_staff_are_no_members() -> None:
    assert staff_client().get("/merchant/", follow=True).status_code == 403


def test_who_may_no_longer_log_in_is_out() -> None:
    client = member_client(make_merchant())
    User.objects.update(is_active=False)
    assert client.get("/merchant/").status_code == 302


def test_the_way_in_leads_to_no_other_site(client: Client) -> None:
    client.force_login(make_user())
    member = member_client(make_merchant())
    answer = member.get("/merchant/login/?next=//evil.example/")
    assert answer.headers["Location"] == "/merchant/"


def test_there_is_no_other_admin(client: Client) -> None:
    assert client.get("/admin/").status_code == 404


def test_the_consoles_take_only_their_own_kinds_of_tables() -> None:
    with pytest.raises(ImproperlyConfigured):
        merchant_site.register(Address, PlatformModelAdmin)
    with pytest.raises(ImproperlyConfigured):
        platform_site.register(Address)


def test_a_secret_is_not_readable_in_the_database_and_is_given_once() -> None:
    user = make_staff()
    [row] = Authenticator.objects.all()
    assert TOTP_SECRET not in json.dumps(row.data)
    totp_give(user=user, secret=TOTP_SECRET)
    assert Authenticator.objects.get() == row
    totp_give(user=user, secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    assert Authenticator.objects.get() != row


@pytest.fixture
def demo(settings: Any, tmp_path: Path) -> Path:
    settings.DEMO, settings.STATE_DIR = True, tmp_path
    return tmp_path


def test_the_demo_tells_the_code_that_opens_the_console(client: Client, demo: Path) -> None:
    user = make_user(is_staff=True)
    totp_give(user=user, secret=totp_secret_for(user.email, state_dir=demo))
    out = StringIO()
    call_command("totp", user.email, stdout=out)
    client.force_login(user)
    client.post("/account/2fa/reauthenticate/?next=/platform/", {"code": out.getvalue().strip()})
    assert client.get("/platform/").status_code == 200
    assert (demo / "totp.json").stat().st_mode & 0o777 == 0o600


def test_codes_are_told_in_a_demo_only_and_of_its_own_people(demo: Path, settings: Any) -> None:
    with pytest.raises(CommandError):
        call_command("totp", "nobody@example.com")
    totp_secret_for("staff@example.com", state_dir=demo)
    settings.DEMO = False
    with pytest.raises(CommandError):
        call_command("totp", "staff@example.com")


def test_only_the_consoles_have_a_relaxed_policy(client: Client) -> None:
    strict = client.get("/account/login/").headers["Content-Security-Policy"]
    assert "unsafe" not in strict
    for console in (
        member_client(make_merchant()).get("/merchant/"),
        staff_client().get("/platform/"),
    ):
        policy = dict(
            part.split(" ", 1) for part in console.headers["Content-Security-Policy"].split("; ")
        )
        assert policy["script-src"] == "'self' 'unsafe-eval'"
        assert policy["style-src"] == "'self' 'unsafe-inline'"
        assert policy["default-src"] == policy["form-action"] == "'self'"
