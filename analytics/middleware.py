"""What pages have told about a visit is written after the response, and never breaks a page."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from analytics.models import DailyCount, Event
from analytics.record import count_only, record_visit
from analytics.session import begin_visit, device, is_robot, opted_out, session_key

logger = logging.getLogger(__name__)

# The one write on GET. The session is the one that the basket needs, begun at the first product.
WRITTEN_ON_GET = frozenset(
    {Event._meta.db_table, DailyCount._meta.db_table, "django_session"},
)


class AnalyticsMiddleware:
    """Stands behind authentication. Gives a request `facts` for views to append to, and
    `session_key_for_figures`, the visit that an order placed by it belongs to: looked up by who
    takes its text, for most pages need no session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        request.facts = []  # type: ignore[attr-defined]
        request.session_key_for_figures = SimpleLazyObject(partial(session_key, request))  # type: ignore[attr-defined]
        response = self.get_response(request)
        if request.facts and response.status_code < 400:  # type: ignore[attr-defined]
            try:
                write(request, age=timedelta(seconds=time.monotonic() - began))
            except Exception:  # figures are worth less than the page
                logger.exception("facts not written: %s", request.path)
        return response


def write(request: HttpRequest, *, age: timedelta) -> None:
    """Keeps the request's facts; of those who opted out their number only, of insiders nothing."""
    facts = request.facts  # type: ignore[attr-defined]
    if is_robot(request) or (request.user.is_authenticated and is_insider(request.user)):
        return
    if opted_out(request):
        count_only(facts)
        return
    record_visit(
        facts,
        session_key=begin_visit(request),
        user_id=request.user.pk,
        device=device(request),
        age=age,
    )


def is_insider(user: User) -> bool:
    """True for the platform's staff and for who works for a merchant."""
    return user.is_staff or user.memberships.exists()
