"""The one-time codes that staff show besides their password."""

import time

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt

from accounts.models import User


def totp_give(*, user: User, secret: str) -> None:
    """Makes `secret` the user's second factor, in the place of any other; quiet where it is.

    Runs in any transaction or none. For the demo: people scan theirs on allauth's page.
    """
    known = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if known is not None:
        if decrypt(known.data["secret"]) == secret:
            return
        known.delete()
    TOTP.activate(user, secret)


def totp_code(secret: str) -> str:
    """The code that this secret stands for now."""
    code: str = format_hotp_value(hotp_value(secret, int(time.time()) // app_settings.TOTP_PERIOD))
    return code
