"""Every invariant catches the faults that are planted against it, and no unrelated one cries."""

import pytest

from core import audit
from core.audit import View
from core.models import StateRule
from tests.audit.faults_kernel import HEADS, HISTORIES, OUTBOX
from tests.audit.faults_money import BOOK, CHANNELS, GROUPS
from tests.audit.faults_recon import LISTS
from tests.audit.faults_settlement import SETTLEMENT
from tests.audit.faults_stock import BELONGING, STOCK
from tests.audit.faults_vouchers import VOUCHERS
from tests.audit.plant import Fault, Ids, broken, codes

FAULTS = {
    **STOCK,
    **BELONGING,
    **VOUCHERS,
    **GROUPS,
    **CHANNELS,
    **BOOK,
    **LISTS,
    **SETTLEMENT,
    **HISTORIES,
    **OUTBOX,
}
CATALOGUE = {f"I{number:02}" for number in range(1, 31)} - {"I27", "I28"}


def each_fault() -> list[object]:
    return [
        pytest.param(view, fault, id=fault.name)
        for view, faults in FAULTS.items()
        for fault in faults
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(("view", "fault"), each_fault())
def test_a_planted_fault_is_found_by_its_view_and_by_no_unrelated_one(
    ids: Ids, view: str, fault: Fault
) -> None:
    fault.plant(ids)

    found = broken()

    assert view in found
    assert codes(found) == {audit.views[view].code, *fault.also}


@pytest.mark.django_db
def test_where_nothing_is_planted_nothing_is_found(ids: Ids) -> None:
    assert broken() == set()
    assert broken(final=True) == set()


def gaps() -> set[str]:
    """Views without a fault, and faults without a view."""
    return set(audit.views) ^ set(FAULTS)


def test_every_view_has_a_fault_and_every_fault_its_view() -> None:
    assert gaps() == set()


@pytest.mark.django_db
def test_the_history_of_every_noun_is_tampered_with() -> None:
    assert set(StateRule.objects.values_list("noun", flat=True)) == set(HEADS)


def test_a_view_without_a_fault_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit.views, "inv_99", View("I99", "inv_99", "", ""))
    monkeypatch.delitem(audit.views, "inv_01_reserved_equals_reservations")

    assert gaps() == {"inv_99", "inv_01_reserved_equals_reservations"}


def test_the_whole_catalogue_is_watched() -> None:
    assert {view.code for view in audit.views.values()} >= CATALOGUE
