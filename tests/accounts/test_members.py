"""Members: who works for a merchant."""

from typing import Any

import pytest

from accounts.actors import Actor, Role
from accounts.models import Merchant, MerchantMember
from accounts.permissions import merchant_actor
from accounts.services import member_add, member_remove
from core.errors import Conflict, Invalid, NotFound
from core.models import OutboxEvent
from tests.factories import make_merchant, make_user

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")
OWNER, FINANCE = MerchantMember.Role.OWNER, MerchantMember.Role.FINANCE


@pytest.fixture
def merchant() -> Merchant:
    return make_merchant()


def member_events() -> list[str]:
    events = OutboxEvent.objects.filter(type__startswith="member.").order_by("seq")
    return list(events.values_list("type", flat=True))


def test_adding_and_removing_a_member_undo_each_other_and_repeat_quietly(
    merchant: Merchant,
) -> None:
    user = make_user()

    for _ in range(2):
        member_add(merchant_id=merchant.pk, user_id=user.pk, role=FINANCE, actor=STAFF)
    assert merchant.members.get().user == user
    for _ in range(2):
        member_remove(merchant_id=merchant.pk, user_id=user.pk, actor=STAFF)

    assert not merchant.members.exists()
    assert member_events() == ["member.added", "member.removed"]
    assert OutboxEvent.objects.get(type="member.added").payload == {
        "merchant_id": str(merchant.pk),
        "actor": "staff:1",
        "user_id": str(user.pk),
        "role": "finance",
    }


def test_a_member_holds_one_role(merchant: Merchant) -> None:
    user = make_user()
    member_add(merchant_id=merchant.pk, user_id=user.pk, role=FINANCE, actor=STAFF)

    with pytest.raises(Conflict) as refusal:
        member_add(merchant_id=merchant.pk, user_id=user.pk, role=OWNER, actor=STAFF)

    assert refusal.value.facts == {"role": "finance"}
    assert merchant.members.get().role == FINANCE


def test_the_last_owner_stays(merchant: Merchant) -> None:
    first, second = make_user(), make_user()
    for user in (first, second):
        member_add(merchant_id=merchant.pk, user_id=user.pk, role=OWNER, actor=STAFF)
    member_remove(merchant_id=merchant.pk, user_id=first.pk, actor=STAFF)

    with pytest.raises(Conflict) as refusal:
        member_remove(merchant_id=merchant.pk, user_id=second.pk, actor=STAFF)

    assert refusal.value.code == "member.last_owner"
    assert merchant.members.get().user == second


def test_a_merchant_adds_to_itself_and_to_nobody_else(merchant: Merchant) -> None:
    user = make_user()
    own = merchant_actor(merchant_id=merchant.pk, user_id=1)
    other = merchant_actor(merchant_id=make_merchant().pk, user_id=1)

    for actor in (other, Actor(Role.MERCHANT, "shop"), Actor(Role.BUYER, str(merchant.pk))):
        with pytest.raises(NotFound):
            member_add(merchant_id=merchant.pk, user_id=user.pk, role=FINANCE, actor=actor)
    member_add(merchant_id=merchant.pk, user_id=user.pk, role=FINANCE, actor=own)
    with pytest.raises(NotFound):
        member_remove(merchant_id=merchant.pk, user_id=user.pk, actor=other)

    assert merchant.members.get().user == user


@pytest.mark.parametrize("user_id", [0, 10**30])
def test_an_unknown_user_is_not_found(merchant: Merchant, user_id: int) -> None:
    with pytest.raises(NotFound) as refusal:
        member_add(merchant_id=merchant.pk, user_id=user_id, role=FINANCE, actor=STAFF)

    assert refusal.value.code == "user.unknown"


@pytest.mark.parametrize("role", ["king", ""])
def test_an_unknown_role_is_refused(merchant: Merchant, role: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        member_add(merchant_id=merchant.pk, user_id=make_user().pk, role=role, actor=STAFF)

    assert list(refusal.value.facts["fields"]) == ["role"]
    assert not merchant.members.exists()
