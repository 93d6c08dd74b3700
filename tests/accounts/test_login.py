"""Logging in: by e-mail address, on pages that answer."""

import pytest
from django.contrib.auth import authenticate
from django.test import Client

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.mark.parametrize("path", ["/account/login/", "/account/signup/"])
def test_the_pages_answer_in_the_frame_of_the_shop(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert "base.html" in {template.name for template in answer.templates}
    assert b'name="email"' in answer.content or b'name="login"' in answer.content


def test_who_signs_up_can_log_in_whatever_the_case_of_the_address(client: Client) -> None:
    form = {"email": "Ada@Example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/account/signup/", form).status_code == 302
    assert User.objects.get().email == "ada@example.com"

    client.logout()
    answer = client.post("/account/login/", {"login": "ADA@example.com", "password": PASSWORD})

    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get().pk)


@pytest.mark.parametrize(
    "email", ["ada", f"{'a' * 60}@{'b' * 60}.{'c.' * 70}com", "a\0@example.com"]
)
def test_an_address_that_can_not_be_kept_is_refused_on_the_page(client: Client, email: str) -> None:
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}

    answer = client.post("/account/signup/", form)

    assert answer.status_code == 422
    assert "email" in answer.context["form"].errors
    assert not User.objects.exists()


def test_a_wrong_password_logs_nobody_in(client: Client) -> None:
    make_user(email="ada@example.com", password=PASSWORD)

    answer = client.post("/account/login/", {"login": "ada@example.com", "password": "wrong"})

    assert answer.status_code == 422
    assert "_auth_user_id" not in client.session


def test_the_user_manager_finds_an_address_in_any_case() -> None:
    user = make_user(email="Ada@Example.com", password=PASSWORD)

    assert authenticate(username="ADA@EXAMPLE.COM", password=PASSWORD) == user


def test_a_superuser_may_enter_the_consoles() -> None:
    user = User.objects.create_superuser("root@example.com", PASSWORD)

    assert user.is_staff
    assert user.is_superuser
