"""Statements and payouts in the consoles: who may do what, in words, and once."""

import pytest
from django.test import Client

from accounts.models import MerchantMember
from payments.models import MerchantAccount, Payout, PayoutHold
from tests.consoles.world import form_of, member_client, page, sent, staff_client
from tests.factories import make_merchant
from tests.factories.money import fresh_row
from tests.factories.settlement import IBAN, OTHER_IBAN, answered, give_account, make_payout
from tests.factories.settlement import sent as have_sent

pytestmark = pytest.mark.django_db

LARGE = 200_000


@pytest.fixture
def large() -> Payout:
    merchant = make_merchant()
    give_account(merchant)
    return make_payout(merchant, LARGE)


def told(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_two_of_the_staff_approve_a_large_payout(large: Payout) -> None:
    first, second = staff_client(), staff_client()
    path, own = page(large, "approve", "platform"), page(large, site="platform")
    assert "approved by two people" in told(first, path)
    assert sent(first, path).status_code == 302
    assert "Your approval is kept" in told(first, own)
    refused = sent(first, path)
    assert refused.status_code == 409
    assert "You have approved this payout already" in refused.content.decode()
    assert fresh_row(large).status == "scheduled"
    assert sent(second, path).status_code == 302
    assert fresh_row(large).status == "approved"
    assert path not in told(second, own)
    assert large.approvals.count() == 2


def test_what_was_shown_with_another_account_is_not_approved(large: Payout) -> None:
    client, path = staff_client(), page(large, "approve", "platform")
    form = form_of(client, path)
    give_account(large.merchant, OTHER_IBAN)
    answer = client.post(path, form)
    assert answer.status_code == 409
    assert "Look at it again" in answer.content.decode()
    assert large.approvals.count() == 0


def test_a_merchant_sees_its_payout_and_approves_nothing(large: Payout) -> None:
    client = member_client(large.merchant)
    shown = told(client, page(large))
    assert "1800.00 EUR" in shown
    assert IBAN not in shown
    assert "approve/" not in shown
    assert client.post(page(large, "approve"), {"token": "t" * 20}).status_code == 403
    assert client.post(page(large, "hold"), {"token": "t" * 20}).status_code == 403


@pytest.mark.parametrize(
    ("role", "status"),
    [("owner", 302), ("finance", 302), ("manager", 403), ("fulfilment", 403), ("read_only", 403)],
)
def test_owner_and_finance_change_the_account(large: Payout, role: str, status: int) -> None:
    client = member_client(large.merchant, MerchantMember.Role(role))
    path = page(large, "change_account")
    if status == 403:
        assert client.get(path).status_code == 403
        assert client.post(path, {"token": "t" * 20}).status_code == 403
        assert MerchantAccount.objects.count() == 1
        return
    assert sent(client, path, holder="Ada", iban=OTHER_IBAN).status_code == status
    assert "GB29 … 6819" in told(client, page(large))
    assert MerchantAccount.objects.latest("pk").actor.startswith("merchant:")


def test_an_iban_that_is_none_is_refused_in_words(large: Payout) -> None:
    client = member_client(large.merchant)
    answer = sent(client, page(large, "change_account"), holder="Ada", iban="DE00")
    assert answer.status_code == 409
    assert "This is no IBAN" in answer.content.decode()


def test_a_hold_is_told_to_the_merchant_with_its_reason_and_released(large: Payout) -> None:
    staff, member = staff_client(), member_client(large.merchant)
    statement = large.statement
    path = page(statement, "hold", "platform")
    form = {"reason": "papers are missing", "until_0": "2099-01-01", "until_1": "12:00"}
    assert sent(staff, path, **form).status_code == 302
    for row in (statement, large):
        assert "Payouts are on hold: papers are missing" in told(member, page(row))
    assert "on hold: papers" in told(staff, page(large, "approve", "platform"))
    assert sent(staff, page(large, "approve", "platform")).status_code == 409
    assert sent(staff, page(large, "release", "platform")).status_code == 302
    assert PayoutHold.objects.get().released_at is not None
    assert "on hold" not in told(member, page(large))


def test_a_failed_payout_is_tried_again_from_its_page(large: Payout) -> None:
    answered(have_sent(large), "failed")
    client = staff_client()
    assert "The bank said: account_closed" in told(client, page(large, site="platform"))
    assert sent(client, page(large, "retry", "platform")).status_code == 302
    assert fresh_row(large).channel_key == f"{large.pk}.2"


def test_what_waits_for_the_staff_stands_on_the_first_page(large: Payout) -> None:
    shown = told(staff_client(), "/platform/")
    assert "Payouts to approve" in shown
    assert "/platform/payments/payout/?state=scheduled" in shown
    listed = told(staff_client(), "/platform/payments/payout/?state=scheduled")
    assert str(large.statement) in listed
    assert str(large.statement) not in told(staff_client(), "/platform/payments/payout/?state=paid")
