"""Doing something: a page that shows what will happen, and a POST that does it once.

Never unfold's own actions: without a dialog they run on GET.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.actors import Actor, Role
from core.errors import Conflict, DomainError
from core.idempotency import Answer, Request, fingerprint_of, idempotent, scope_of

if TYPE_CHECKING:
    from accounts.consoles.tables import ConsoleModelAdmin

REFUSED = 409
LONGEST_REASON = 200
# Not part of what is asked for: the same request may come with another of these.
ENVELOPE = ("csrfmiddlewaretoken", "token")


class ActForm(forms.Form):
    """What an act asks for; made for the row that it is done to."""

    def __init__(self, row: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class ReasonForm(ActForm):
    """Why it is done."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class Act(ABC):
    """One verb that somebody may do to a row of a console, for one role."""

    verb: ClassVar[str]
    title: ClassVar[str | Promise]
    form_class: ClassVar[type[ActForm]] = ActForm
    is_grave: ClassVar[bool] = False  # takes something away that does not come back by itself
    moves_on: ClassVar[bool] = True  # a step that the row waits for; not one that is always there

    def __init__(self, role: Role) -> None:
        self.role = role

    def is_legal(self, row: Any) -> bool:
        """True where the row's state allows it now; the service decides again."""
        return True

    def has_effect(self, row: Any) -> bool:
        """False where it is legal and there is nothing to do: it gets no button then."""
        return True

    def preview(self, row: Any) -> list[str]:
        """What will happen, in sentences."""
        return []

    def stamp(self, row: Any) -> str:
        """What the preview was made of; where it has changed nothing is done."""
        return ""

    def current(self, row: Any) -> Any:
        """The row as it is now, locked for the service that follows; only where it has a stamp."""
        return row

    def refused(self, row: Any, code: str) -> None:
        """What follows a refusal, outside its transaction: nothing, unless an act says otherwise."""
        return

    @abstractmethod
    def do(self, row: Any, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        """Calls the one service; answers what to tell."""


def act_page(
    table: "ConsoleModelAdmin", act: Act, request: HttpRequest, object_id: str
) -> HttpResponse:
    """GET shows the preview; POST does it, or tells the refusal with a fresh preview and token.

    Raises Http404 for a row out of scope, PermissionDenied where the role may not do it.
    """
    row = table.row(request, object_id)
    if not table.admin_site.may(request, act.verb):
        raise PermissionDenied
    if request.method == "POST":
        return _done(table, act, request, row)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    return _shown(table, act, request, row, act.form_class(row))


def _done(table: "ConsoleModelAdmin", act: Act, request: HttpRequest, row: Any) -> HttpResponse:
    form = act.form_class(row, request.POST)
    if not form.is_valid():
        return _shown(table, act, request, row, form)
    answer = _answer(table, act, request, row, form.cleaned_data)
    if answer.status == REFUSED:
        act.refused(row, answer.body.get("code", ""))
        messages.error(request, answer.body["message"])
        fresh = table.row(request, str(row.pk))
        return _shown(table, act, request, fresh, act.form_class(fresh, request.POST), REFUSED)
    messages.success(request, answer.body["message"])
    return HttpResponseRedirect(table.row_url(row))


def _answer(
    table: "ConsoleModelAdmin", act: Act, request: HttpRequest, row: Any, fields: dict[str, Any]
) -> Answer:
    """Once per token, even where the service would do it again: two clicks ship one parcel."""
    site, token = table.admin_site, request.POST.get("token", "")

    def work() -> Answer:
        if act.stamp(act.current(row)) != request.POST.get("stamp", ""):
            raise Conflict("row.changed", _("This has changed meanwhile. Look at it again first."))
        told = act.do(row, actor=site.actor(request), token=token, fields=fields)
        return Answer(200, {"message": told})

    keyed = Request(
        scope=scope_of(
            principal=f"user:{request.user.pk}",
            tenant=site.tenant(request),
            method="POST",
            route=f"console:{act.verb}",
        ),
        key=token,
        fingerprint=fingerprint_of(
            method="POST", path=request.path, content_type="form", body=_asked(request)
        ),
    )
    try:
        return idempotent(keyed, work, _refusal)
    except DomainError as error:
        return _refusal(error)


def _asked(request: HttpRequest) -> dict[str, list[Any]]:
    return {name: values for name, values in request.POST.lists() if name not in ENVELOPE}


def _refusal(error: DomainError) -> Answer:
    message = str(WORDS.get(error.code, error.message))
    return Answer(REFUSED, {"message": message, "code": error.code})


# Where what a program is told would not help a person.
WORDS = {
    "idempotency-key-missing": gettext_lazy("Open this page anew, then send it."),
    "idempotency-key-reused": gettext_lazy(
        "This page was sent before with other values. Look whether it was done."
    ),
}


def _shown(
    table: "ConsoleModelAdmin",
    act: Act,
    request: HttpRequest,
    row: Any,
    form: forms.Form,
    status: int = 200,
) -> HttpResponse:
    context = {
        **table.admin_site.each_context(request),
        "title": act.title,
        "subtitle": str(row),
        "original": row,
        "row": row,
        "row_url": table.row_url(row),
        "act": act,
        "is_legal": act.is_legal(row),
        "preview": act.preview(row),
        "stamp": act.stamp(row),
        "token": secrets.token_urlsafe(24),
        "form": form,
        "opts": table.opts,
    }
    return TemplateResponse(request, "console/act.html", context, status=status)
