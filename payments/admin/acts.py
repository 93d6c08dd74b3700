"""What is done to statements and payouts in the consoles."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.actors import Actor
from accounts.consoles import Act, ReasonForm
from accounts.consoles.acts import ActForm
from payments import states
from payments.locks import lock_payout
from payments.models import Payout, Statement
from payments.services.payee import merchant_account_change, payout_hold, payout_release
from payments.services.payout import approvals_needed, payout_approve, payout_retry
from payments.statements import account_of, amount, hold_of

Row = Statement | Payout


class PayoutAct(Act):
    """An act on one payout; its preview is void once the payout has moved on."""

    def is_legal(self, row: Payout) -> bool:
        offers = states.PAYOUT.offers(row, self.role, row.status_changed_at)
        return self.verb in {edge.verb for edge in offers}

    def stamp(self, row: Payout) -> str:
        account = account_of(row.merchant_id)
        return f"{row.version}.{row.approvals.count()}.{account.pk if account else 0}"

    def current(self, row: Payout) -> Payout:
        return lock_payout(row.pk)


class Approve(PayoutAct):
    verb = "approve"
    title = gettext_lazy("Approve")

    def preview(self, row: Payout) -> list[str]:
        account, hold = account_of(row.merchant_id), hold_of(row.merchant_id)
        lines = [
            _("%(amount)s go to %(account)s.")
            % {"amount": amount(row.amount_minor, row.currency), "account": account or "?"}
        ]
        if account is None:
            lines.append(_("It is not known yet to which bank account this merchant is paid."))
        if hold:
            lines.append(_("Payouts are on hold: %(reason)s") % {"reason": hold.reason})
        if approvals_needed(row) > 1:
            lines.append(_("A payout of this size is approved by two people."))
        return lines

    def do(self, row: Payout, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        payout = payout_approve(payout_id=row.pk, actor=actor)
        if payout.status == "scheduled":
            return _("Your approval is kept. It leaves when somebody else has approved it, too.")
        return _("The payout is approved and leaves at once.")


class Retry(PayoutAct):
    verb = "retry"
    title = gettext_lazy("Try again")

    def preview(self, row: Payout) -> list[str]:
        return [
            _("The bank said: %(code)s") % {"code": row.failure_code or "?"},
            _("It is to go to %(account)s, and has to be approved anew.")
            % {"account": account_of(row.merchant_id) or "?"},
        ]

    def do(self, row: Payout, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        payout_retry(payout_id=row.pk, actor=actor)
        return _("The payout is scheduled anew.")


class HoldForm(ReasonForm):
    """Why, and until when where it shall end by itself."""

    until = forms.SplitDateTimeField(
        label=gettext_lazy("Until (UTC)"),
        required=False,
        help_text=gettext_lazy("Empty: until it is released."),
        widget=UnfoldAdminSplitDateTimeWidget,
    )


class Hold(Act):
    verb = "hold"
    title = gettext_lazy("Hold payouts")
    form_class = HoldForm
    is_grave = True
    moves_on = False

    def is_legal(self, row: Row) -> bool:
        return hold_of(row.merchant_id) is None

    def preview(self, row: Row) -> list[str]:
        return [
            _("Nothing is paid out to this merchant, who reads the reason on the statement."),
            _("What is on its way already goes on."),
        ]

    def do(self, row: Row, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        payout_hold(
            merchant_id=row.merchant_id,
            reason=fields["reason"],
            until=fields["until"],
            actor=actor,
        )
        return _("Payouts to this merchant are on hold.")


class Release(Act):
    verb = "release"
    title = gettext_lazy("Release payouts")
    moves_on = False

    def is_legal(self, row: Row) -> bool:
        return hold_of(row.merchant_id) is not None

    def preview(self, row: Row) -> list[str]:
        hold = hold_of(row.merchant_id)
        kept = [_("They are on hold: %(reason)s") % {"reason": hold.reason}] if hold else []
        return [*kept, _("What was kept back is paid out by the next statement.")]

    def do(self, row: Row, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        payout_release(merchant_id=row.merchant_id, actor=actor)
        return _("Payouts to this merchant go on.")


class AccountForm(ActForm):
    """Whose account it is, and its number."""

    holder = forms.CharField(
        label=gettext_lazy("Account holder"),
        max_length=70,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    iban = forms.CharField(
        label=gettext_lazy("IBAN"),
        max_length=42,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class ChangeAccount(Act):
    verb = "change_account"
    title = gettext_lazy("Change bank account")
    form_class = AccountForm
    moves_on = False

    def preview(self, row: Row) -> list[str]:
        account = account_of(row.merchant_id)
        now = _("Payouts go to %(account)s now.") % {"account": account} if account else ""
        return [now, _("What was approved already still goes to the account it was approved for.")]

    def do(self, row: Row, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        account = merchant_account_change(
            merchant_id=row.merchant_id,
            holder=fields["holder"],
            iban=fields["iban"],
            actor=actor,
        )
        return _("Payouts go to %(account)s from now on.") % {"account": account}
