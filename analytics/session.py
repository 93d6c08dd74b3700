"""Whose visit a request belongs to, and who is left out of the figures."""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.timezone import now as machine_now

VISIT = "visit"  # where Django's session keeps it: over a login, not over a logout
KEY_LENGTH = 32
ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|headless|monitor|scan|fetch|archiver"
    r"|^(curl|wget|python|go-http|java|okhttp|libwww|axios|node|ruby|php|perl)",
    re.IGNORECASE,
)
TABLET = re.compile(r"ipad|tablet|android(?!.*mobile)", re.IGNORECASE)
PHONE = re.compile(r"mobi|iphone|android", re.IGNORECASE)


def session_key(request: HttpRequest) -> str:
    """The visit under this month's key; '' where there is none, or nobody may be followed.

    Without the secret key it leads back to no session, and next month's key makes another of it.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return ""  # and the answer does not depend on cookies
    return "" if opted_out(request) else _keyed(request.session.get(VISIT, ""))


def begin_visit(request: HttpRequest) -> str:
    """The session key of this visit, which begins here where there was none.

    It is called with the first fact, a product seen: only then does a shopper get the session's
    cookie, the same that holds the basket, so that what they see and what they buy is one visit.
    """
    visit = request.session.setdefault(VISIT, secrets.token_urlsafe(16))
    return _keyed(visit)


def _keyed(visit: str) -> str:
    month = f"{machine_now():%Y-%m}"
    keyed = salted_hmac(f"analytics.session.{month}", visit, algorithm="sha256")
    return keyed.hexdigest()[:KEY_LENGTH] if visit else ""


def opted_out(request: HttpRequest) -> bool:
    """True where the browser says so: Global Privacy Control, or Do Not Track."""
    return request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"


def is_robot(request: HttpRequest) -> bool:
    """True for who calls itself a program, or says nothing."""
    agent = request.headers.get("User-Agent", "")
    return not agent or bool(ROBOT.search(agent))


def device(request: HttpRequest) -> str:
    """desktop, tablet or mobile, by what the browser says."""
    agent = request.headers.get("User-Agent", "")
    if TABLET.search(agent):
        return "tablet"
    return "mobile" if PHONE.search(agent) else "desktop"
