"""Customers: one per e-mail address, a guest's and a user's alike."""

from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection

from accounts.models import Customer, User
from accounts.services import customer_for_email, customer_for_user, customers_import
from core.command import command
from core.errors import Conflict, Invalid
from core.ids import gene
from tests.factories import TESTER, make_customer, make_user

pytestmark = pytest.mark.django_db


def test_one_address_is_one_customer_whatever_its_case() -> None:
    first = customer_for_email(email="Ada@Example.com ", name="Ada", accepts_mail=False)
    again = customer_for_email(email="ada@example.COM", name="Somebody else")

    assert again == first
    assert (again.email, again.name, again.accepts_mail) == ("ada@example.com", "Ada", False)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "a b@example.com", "a\0@example.com", f"{'a' * 250}@example.com"]
)
def test_what_is_no_address_makes_no_customer(email: str) -> None:
    with pytest.raises(Invalid) as refusal:
        customer_for_email(email=email)

    assert refusal.value.code == "customer.invalid"
    assert list(refusal.value.facts["fields"]) == ["email"]
    assert not Customer.objects.exists()


def test_a_name_that_is_too_long_is_refused_by_its_field() -> None:
    with pytest.raises(Invalid) as refusal:
        customer_for_email(email="ada@example.com", name="A" * 201)

    assert list(refusal.value.facts["fields"]) == ["name"]


def test_a_customer_is_made_inside_a_command_too() -> None:
    @command
    def service() -> Customer:
        return customer_for_email(email="ada@example.com")

    assert service() == Customer.objects.get(email="ada@example.com")


@pytest.mark.django_db(transaction=True)
def test_two_first_orders_at_once_make_one_customer() -> None:
    barrier, found = Barrier(8), []

    def order() -> None:
        barrier.wait()
        found.append(command(lambda: customer_for_email(email="ada@example.com"))().pk)
        connection.close()

    threads = [Thread(target=order) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert set(found) == {Customer.objects.get().pk}


def test_the_shard_key_is_the_gene_of_the_id() -> None:
    customer = make_customer()

    assert customer.shard_key == gene(customer.pk)


def test_a_user_gets_a_customer_at_first_need_and_keeps_it() -> None:
    user = make_user(email="ada@example.com", name="Ada")

    customer = customer_for_user(user=user)

    assert (customer.email, customer.name, customer.user) == ("ada@example.com", "Ada", user)
    assert customer_for_user(user=user) == customer


def test_who_ordered_as_a_guest_stays_the_same_customer_with_a_login() -> None:
    guest = make_customer(email="ada@example.com", name="Ada L.")

    customer = customer_for_user(user=make_user(email="ada@example.com"))

    assert customer == guest
    assert customer.name == "Ada L."


def test_the_customer_stays_when_the_login_changes_its_address() -> None:
    user = make_user(email="ada@example.com")
    customer = customer_for_user(user=user)
    User.objects.filter(pk=user.pk).update(email="new@example.com")

    assert customer_for_user(user=User.objects.get(pk=user.pk)) == customer


def test_the_customer_of_another_login_is_not_taken() -> None:
    user = make_user(email="ada@example.com")
    customer = customer_for_user(user=user)
    User.objects.filter(pk=user.pk).update(email="new@example.com")
    stranger = make_user(email="ada@example.com")

    with pytest.raises(Conflict) as refusal:
        customer_for_user(user=stranger)

    assert refusal.value.code == "customer.address_taken"
    assert Customer.objects.get().user == user
    assert Customer.objects.get() == customer


@pytest.mark.parametrize("model", [User, Customer])
def test_the_database_holds_addresses_in_lower_case(model: type[User | Customer]) -> None:
    with pytest.raises(IntegrityError, match="_lower"):
        model.objects.create(email="Ada@example.com")


def test_many_customers_come_in_at_once_and_get_no_mail() -> None:
    known = make_customer(email="known@example.com")
    found = customers_import(emails=["known@example.com", "new@example.com"], actor=TESTER)
    assert found["known@example.com"] == known
    assert known.accepts_mail
    assert not found["new@example.com"].accepts_mail
