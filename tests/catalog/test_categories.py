"""Categories: a tree that the platform grows."""

from threading import Barrier, Thread

import pytest
from django.db import connection

from accounts.actors import Actor, Role
from catalog.models import Category
from catalog.services import category_create
from core.errors import Conflict, Denied, Invalid, NotFound
from core.models import OutboxEvent
from tests.factories import fresh

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


def test_a_category_stands_below_its_parent() -> None:
    home = category_create(name="Home", slug="home", actor=STAFF)
    kitchen = category_create(name="Kitchen", slug="kitchen", parent_id=home.pk, actor=STAFF)

    assert Category.objects.get_parent(Category.objects.get(pk=kitchen.pk)) == home
    assert list(Category.objects.get_children(Category.objects.get(pk=home.pk))) == [kitchen]
    assert OutboxEvent.objects.filter(type="category.created").count() == 2


def test_bad_input_grows_nothing() -> None:
    category_create(name="Home", slug="home", actor=STAFF)

    with pytest.raises(Conflict) as taken:
        category_create(name="Other", slug="home", actor=STAFF)
    with pytest.raises(Invalid) as nameless:
        category_create(name="", slug="other", actor=STAFF)
    with pytest.raises(NotFound):
        category_create(name="Other", slug="other", parent_id=10**30, actor=STAFF)
    with pytest.raises(Denied):
        category_create(name="Other", slug="other", actor=Actor(Role.MERCHANT, "1"))

    assert taken.value.code == "category.slug_taken"
    assert list(nameless.value.facts["fields"]) == ["name"]
    assert Category.objects.get().slug == "home"


@pytest.mark.django_db(transaction=True)
def test_branches_that_grow_at_once_get_places_of_their_own() -> None:
    home = category_create(name="Home", slug="home", actor=STAFF)
    barrier = Barrier(6)

    def grow(parent_id: int | None) -> None:
        barrier.wait()
        category_create(name="Branch", slug=fresh("branch-{}"), parent_id=parent_id, actor=STAFF)
        connection.close()

    threads = [Thread(target=grow, args=[parent]) for parent in (None, home.pk) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Category.objects.get_root_nodes().count() == 4
    assert Category.objects.get_children_count(Category.objects.get(pk=home.pk)) == 3
    assert Category.objects.find_problems() == ([], [], [], [], [])
