"""The demo's mailbox: what was written, whoever it was written to. Nothing of it in production."""

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from orders.models import Mail
from shop.parse import as_number

MAILS_PER_PAGE = 25
HTML_POLICY = {"default-src": [NONE], "style-src": [UNSAFE_INLINE], "frame-ancestors": [SELF]}


def require_demo() -> None:
    """There is no such page where real people order."""
    if not settings.DEMO:
        raise Http404


@require_safe
@never_cache
def mailbox(request: HttpRequest) -> HttpResponse:
    """The newest mails; `before` is the id that the page before ended with."""
    require_demo()
    mails = Mail.objects.order_by("-id").defer("text", "html")
    before = as_number(request.GET.get("before", ""))
    if before is not None:
        mails = mails.filter(pk__lt=before)
    found = list(mails[: MAILS_PER_PAGE + 1])
    page = found[:MAILS_PER_PAGE]
    older = page[-1].pk if len(found) > MAILS_PER_PAGE else None
    return render(request, "shop/mailbox/list.html", {"mails": page, "older": older})


@require_safe
@never_cache
def mail(request: HttpRequest, mail_id: int) -> HttpResponse:
    """One mail: its head, its text, and its HTML in a frame that may do nothing."""
    require_demo()
    found = get_object_or_404(Mail, pk=mail_id)
    return render(request, "shop/mailbox/mail.html", {"mail": found})


@require_safe
@never_cache
@xframe_options_sameorigin
@csp(HTML_POLICY)  # type: ignore[arg-type]
def mail_html(request: HttpRequest, mail_id: int) -> HttpResponse:
    """The mail as a mail program would show it: styles alone, no script, nothing fetched."""
    require_demo()
    return HttpResponse(get_object_or_404(Mail, pk=mail_id).html)
