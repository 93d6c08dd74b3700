"""The address book's services, and the proof of an e-mail address."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from django.db import connection

from accounts.addresses import (
    address_add,
    address_change,
    address_delete,
    address_use_first,
)
from accounts.models import Address
from accounts.selectors import linked_customer, verified_customer
from accounts.services import customer_for_user
from core.errors import Invalid, NotFound
from tests.factories import TESTER, make_customer, make_user, prove_address

pytestmark = pytest.mark.django_db

FIELDS = {"name": "Ada", "line1": "Quay 1", "city": "Bremen", "postcode": "1", "country": "DE"}


def add(customer_id: int, **fields: str) -> Address:
    return address_add(customer_id=customer_id, fields={**FIELDS, **fields}, actor=TESTER)


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("line1", "x" * 201), ("country", "de"), ("city", "a\0")]
)
def test_a_field_that_can_not_be_kept_is_refused_by_name(field: str, value: str) -> None:
    customer = make_customer()
    with pytest.raises(Invalid) as refusal:
        add(customer.pk, **{field: value})
    assert list(refusal.value.facts["fields"]) == [field]

    address = add(customer.pk)
    with pytest.raises(Invalid):
        address_change(
            customer_id=customer.pk,
            address_id=address.pk,
            fields={**FIELDS, field: value},
            actor=TESTER,
        )
    address.refresh_from_db()
    assert address.name == "Ada"


def test_the_oldest_takes_the_place_of_the_deleted_first() -> None:
    customer = make_customer()
    first, second, third = (add(customer.pk) for _ in range(3))
    address_use_first(customer_id=customer.pk, address_id=third.pk, actor=TESTER)

    address_delete(customer_id=customer.pk, address_id=third.pk, actor=TESTER)

    assert Address.objects.get(is_default=True) == first
    address_delete(customer_id=customer.pk, address_id=second.pk, actor=TESTER)
    assert Address.objects.get(is_default=True) == first


def test_nobody_changes_anothers() -> None:
    address, other = add(make_customer().pk), make_customer()

    with pytest.raises(NotFound):
        address_use_first(customer_id=other.pk, address_id=address.pk, actor=TESTER)
    with pytest.raises(NotFound):
        add(0)
    address_delete(customer_id=other.pk, address_id=address.pk, actor=TESTER)

    assert Address.objects.get() == address


@pytest.mark.django_db(transaction=True)
def test_of_many_first_addresses_at_once_one_is_used_first() -> None:
    customer = make_customer()

    def add_one(number: int) -> None:
        add(customer.pk, line1=f"Quay {number}")
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(8)))

    assert Address.objects.count() == 8
    assert Address.objects.filter(is_default=True).count() == 1


def test_a_customer_is_its_users_once_the_address_is_proved() -> None:
    user = make_user()
    assert linked_customer(user=user) is None
    customer = customer_for_user(user=user)
    assert linked_customer(user=user) == customer
    assert verified_customer(user=user) is None

    EmailAddress.objects.create(user=user, email=user.email, verified=False, primary=True)
    assert verified_customer(user=user) is None
    prove_address(user)

    assert verified_customer(user=user) == customer
    assert EmailAddress.objects.count() == 1
