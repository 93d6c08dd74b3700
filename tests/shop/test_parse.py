"""Numbers that come from a browser."""

import pytest
from django.test import Client

from shop.parse import LARGEST, as_number


@pytest.mark.parametrize("text", ["0", " 7 ", str(LARGEST)])
def test_every_id_that_a_row_may_have_is_a_number(text: str) -> None:
    assert as_number(text) == int(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "x", "²", "٣", str(LARGEST + 1), "9" * 5000])
def test_what_no_row_can_have_is_none(text: str) -> None:
    assert as_number(text) is None


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/search/", "/basket/"])
def test_a_page_that_can_be_read_can_be_asked_for_its_head(path: str) -> None:
    answer = Client().head(path)
    assert (answer.status_code, answer.content) == (200, b"")
