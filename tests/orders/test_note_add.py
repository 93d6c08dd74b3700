"""Notes: kept for good, read by those whose order it is."""

import pytest

from accounts.actors import Actor, Role
from accounts.models import Merchant
from accounts.permissions import merchant_actor
from core.errors import Denied, Invalid, NotFound
from orders.models import Note
from orders.selectors.timeline import Entry, Kind, group_timeline, order_timeline
from orders.services.note import note_add
from tests.factories import make_user
from tests.factories.story import BUYER, make_group

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "user:1")


def member_of(merchant: Merchant) -> Actor:
    return merchant_actor(merchant_id=merchant.pk, user_id=make_user(name="Bo").pk)


def notes(entries: list[Entry]) -> list[str]:
    return [entry.detail for entry in entries if entry.kind is Kind.NOTE]


def test_a_note_says_who_wrote_it_and_when() -> None:
    group = make_group()
    order = group.orders.get()

    note = note_add(
        group_id=group.pk, order_id=order.pk, text=" call first ", actor=member_of(order.merchant)
    )

    stored = Note.objects.get(pk=note.pk)
    assert (stored.text, stored.order, stored.shard_key) == ("call first", order, group.shard_key)
    [entry] = order_timeline(order, [Kind.NOTE]).entries
    assert (entry.detail, entry.actor, entry.at) == ("call first", "merchant · Bo", stored.at)


def test_a_note_about_an_order_is_not_told_to_the_groups_other_merchant() -> None:
    group = make_group(orders=2)
    first, second = group.orders.order_by("pk")
    note_add(group_id=group.pk, order_id=first.pk, text="mine", actor=member_of(first.merchant))
    note_add(group_id=group.pk, order_id=None, text="the platform's", actor=STAFF)

    assert notes(order_timeline(first).entries) == ["mine"]
    assert notes(order_timeline(second).entries) == []
    assert notes(group_timeline(group).entries) == ["mine", "the platform's"]


def test_nobody_writes_about_an_order_that_is_not_theirs() -> None:
    group, other = make_group(orders=2), make_group()
    first, second = group.orders.order_by("pk")
    theirs = member_of(first.merchant)
    for actor, group_id, order_id in (
        (theirs, group.pk, second.pk),
        (theirs, other.pk, other.orders.get().pk),
        (theirs, other.pk, first.pk),  # an order of another group
        (STAFF, other.pk, first.pk),
        (BUYER, group.pk, first.pk),
        (STAFF, group.pk + 4096, None),
    ):
        with pytest.raises(NotFound):
            note_add(group_id=group_id, order_id=order_id, text="a", actor=actor)
    with pytest.raises(Denied):
        note_add(group_id=group.pk, order_id=None, text="a", actor=theirs)
    assert not Note.objects.exists()


@pytest.mark.parametrize(
    ("text", "code"), [("", "note.empty"), (" \n", "note.empty"), ("a" * 2001, "note.too_long")]
)
def test_a_note_says_something_in_2000_characters(text: str, code: str) -> None:
    group = make_group()
    with pytest.raises(Invalid) as refusal:
        note_add(group_id=group.pk, order_id=None, text=text, actor=STAFF)
    assert refusal.value.code == code
    note_add(group_id=group.pk, order_id=None, text="a" * 2000, actor=STAFF)
