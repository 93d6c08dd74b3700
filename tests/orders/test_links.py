"""The signed link: it opens one group, until its version is raised, and leaks nothing."""

import pytest

from core.errors import NotFound
from orders.links import group_of_link, link_key, link_path
from orders.models import OrderGroup
from tests.factories.story import make_group

pytestmark = pytest.mark.django_db


def test_a_link_opens_its_group() -> None:
    group = make_group()
    _, _, number, key, _ = link_path(group).split("/")
    assert group_of_link(number=number, key=key) == group
    assert len(key) * 6 >= 128


def test_a_link_opens_no_other_group() -> None:
    group, other = make_group(), make_group()
    for number, key in (
        (group.number, link_key(other)),
        (group.number, ""),
        (group.number, "ü" * 22),
        ("nothing", link_key(group)),
        (f"{group.number}\0", link_key(group)),
    ):
        with pytest.raises(NotFound) as refusal:
            group_of_link(number=number, key=key)
        assert refusal.value.code == "order.unknown"


def test_raising_the_version_ends_the_links_given_so_far() -> None:
    group = make_group()
    old = link_key(group)
    OrderGroup.objects.filter(pk=group.pk).update(link_version=2)
    with pytest.raises(NotFound):
        group_of_link(number=group.number, key=old)
    group.refresh_from_db()
    assert group_of_link(number=group.number, key=link_key(group)) == group
