"""The page for a form whose token is no longer right."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

MOST_ANSWERS = 100


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Offers to send the same answers again, with a new token; 422.

    Only where the browser vouches that the form was a page of ours, and not with a password or a
    file: then 403, and the shopper starts from the page before.
    """
    answers = [
        (n, v) for n, values in request.POST.lists() for v in values if n != "csrfmiddlewaretoken"
    ]
    secret = any("password" in name for name, _value in answers)
    ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    if not ours or secret or request.FILES or len(answers) > MOST_ANSWERS:
        return render(request, "shop/csrf_stale.html", status=403)
    return render(request, "shop/csrf.html", {"answers": answers}, status=422)
