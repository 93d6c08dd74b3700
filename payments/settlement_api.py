"""`/statements` and `/payouts`: what a merchant is told it has earned, and what it is paid."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from accounts.permissions import own
from core.api import (
    ApiView,
    Id,
    MoneyOf,
    PageQuery,
    Serializer,
    StateIs,
    Text,
    Time,
    id_from,
    keyset_page,
    not_found,
    operation,
    page,
    parsed,
)
from core.ids import gene_of
from payments.models import Payout, Statement
from payments.printed import statement_csv
from payments.services.payee import payout_hold
from payments.services.payout import approvals_needed, payout_approve
from payments.statements import payout_reason, sheet_of
from payments.states import PAYOUT, STATEMENT

TAG = "settlement"


class StatementOut(Serializer):
    """A statement; `closing` is null while it is open."""

    id = Id()
    number = serializers.CharField(source="__str__")
    merchant_id = Id()
    currency = serializers.CharField()
    state = StateIs(STATEMENT.names, source="status")
    state_changed_at = Time(source="status_changed_at")
    period_from = Time()
    period_to = Time()
    closing = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["integer", "null"]})
    def get_closing(self, statement: Statement) -> int | None:
        return statement.closing_minor


class NumberOut(Serializer):
    """A number of a statement, in minor units."""

    name = serializers.CharField()
    amount = serializers.IntegerField()


class StatementSheetOut(StatementOut):
    """A statement with its numbers, from the opening to the closing balance."""

    numbers = serializers.SerializerMethodField()
    sum_agrees = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()

    @extend_schema_field(NumberOut(many=True))
    def get_numbers(self, statement: Statement) -> Any:
        rows = sheet_of(statement).rows()
        return [{"name": name, "amount": minor} for name, _words, minor in rows]

    def get_sum_agrees(self, statement: Statement) -> bool:
        return sheet_of(statement).agrees

    def get_reason(self, statement: Statement) -> str:
        return payout_reason(sheet_of(statement))


class StatementList(ApiView):
    """The list, newest first."""

    scopes = {"GET": "settlements:read"}
    queries = {"GET": PageQuery}

    @operation("List statements", tag=TAG, answer=page(StatementOut), query=PageQuery)
    def get(self, request: Request) -> Response:
        """Your statements, newest first; the platform sees everybody's."""
        rows = own(Statement.objects.select_related("merchant"), actor=caller(request).actor)
        return keyset_page(
            request,
            rows,
            limit=self.queried(request)["limit"],
            present=lambda found: StatementOut(found, many=True).data,
        )


class StatementDetail(ApiView):
    """One statement."""

    scopes = {"GET": "settlements:read"}

    @operation("Get a statement", tag=TAG, answer=StatementSheetOut, problems=[404])
    def get(self, request: Request, statement_id: str) -> Response:
        """One statement with its numbers; of an open one, what is booked so far."""
        return Response(StatementSheetOut(_statement(request, statement_id)).data)


class StatementCsv(ApiView):
    """One statement for a spreadsheet."""

    scopes = {"GET": "settlements:read"}

    @operation(
        "Get a statement as CSV",
        tag=TAG,
        answer=OpenApiTypes.STR,
        problems=[404],
    )
    def get(self, request: Request, statement_id: str) -> HttpResponse:
        """Its numbers and its entries."""
        statement = _statement(request, statement_id)
        response = HttpResponse(
            statement_csv(sheet_of(statement)), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{statement}.csv"'
        return response


def _statement(request: Request, statement_id: str) -> Statement:
    number = id_from(statement_id)
    rows = Statement.objects.filter(pk=number, shard_key=gene_of(number))
    found = own(rows.select_related("merchant"), actor=caller(request).actor).first()
    if found is None:
        raise not_found()
    return found


class PayoutOut(Serializer):
    """A payout; of the bank account only enough to recognise it."""

    id = Id()
    statement_id = Id()
    merchant_id = Id()
    amount = MoneyOf("amount_minor")
    state = StateIs(PAYOUT.names, source="status")
    state_changed_at = Time(source="status_changed_at")
    account = serializers.SerializerMethodField()
    failure_code = serializers.CharField()
    approvals = serializers.SerializerMethodField()
    approvals_needed = serializers.SerializerMethodField()

    def get_account(self, payout: Payout) -> str:
        return payout.account.masked if payout.account else ""

    @extend_schema_field(OpenApiTypes.INT)
    def get_approvals(self, payout: Payout) -> int:
        return payout.approvals.filter(try_number=payout.tries).count()

    def get_approvals_needed(self, payout: Payout) -> int:
        return approvals_needed(payout)


class PayoutList(ApiView):
    """The list, newest first."""

    scopes = {"GET": "settlements:read"}
    queries = {"GET": PageQuery}

    @operation("List payouts", tag=TAG, answer=page(PayoutOut), query=PageQuery)
    def get(self, request: Request) -> Response:
        """Your payouts, newest first; the platform sees everybody's."""
        return keyset_page(
            request,
            own(Payout.objects.select_related("account"), actor=caller(request).actor),
            limit=self.queried(request)["limit"],
            present=lambda found: PayoutOut(found, many=True).data,
        )


class PayoutDetail(ApiView):
    """One payout."""

    scopes = {"GET": "settlements:read"}

    @operation("Get a payout", tag=TAG, answer=PayoutOut, problems=[404])
    def get(self, request: Request, payout_id: str) -> Response:
        """One payout."""
        return Response(PayoutOut(_payout(request, payout_id)).data)


class PayoutApprove(ApiView):
    """Approving."""

    scopes = {"POST": "settlements:write"}

    @operation("Approve a payout", tag=TAG, answer=PayoutOut, keyed=True, problems=[404])
    def post(self, request: Request, payout_id: str) -> Response:
        """Approves it up to the limit; a larger one takes two people, in the console."""
        payout = _payout(request, payout_id)
        return self.keyed(
            request,
            lambda: payout_approve(payout_id=payout.pk, actor=caller(request).actor),
            lambda approved: PayoutOut(approved).data,
        )


class HoldIn(Serializer):
    """Why, and until when where it shall end by itself."""

    reason = Text(max_length=200)
    until = Time(required=False, allow_null=True, default=None)


class PayoutHolding(ApiView):
    """Holding."""

    scopes = {"POST": "settlements:write"}

    @operation(
        "Hold a merchant's payouts",
        tag=TAG,
        answer=PayoutOut,
        body=HoldIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, payout_id: str) -> Response:
        """Has the payout's merchant paid nothing, until then or until it is released."""
        payout = _payout(request, payout_id)
        given = parsed(HoldIn, request)
        return self.keyed(
            request,
            lambda: payout_hold(
                merchant_id=payout.merchant_id,
                reason=given["reason"],
                until=given["until"],
                actor=caller(request).actor,
            ),
            lambda hold: PayoutOut(payout).data,
        )


def _payout(request: Request, payout_id: str) -> Payout:
    number = id_from(payout_id)
    rows = Payout.objects.filter(pk=number, shard_key=gene_of(number)).select_related("account")
    payout = own(rows, actor=caller(request).actor).first()
    if payout is None:
        raise not_found()
    return payout
