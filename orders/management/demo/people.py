"""The demo's people: random passwords, kept in a file of its own, and addresses that are verified."""

from allauth.account.models import EmailAddress
from django.conf import settings

from accounts.models import User
from accounts.totp import totp_give
from core.management.logins import password_for, totp_secret_for

STAFF = ("staff@quayside.example", "Sam Staff")
SHOPPERS = (("ada@shopper.example", "Ada Shopper"), ("ben@shopper.example", "Ben Shopper"))


def login(email: str, name: str, **flags: bool) -> User:
    """The user, whose password is the one that the demo prints."""
    user, _is_new = User.objects.get_or_create(
        email=email, defaults={"name": name, "is_demo": True, **flags}
    )
    password = password_for(email, state_dir=settings.STATE_DIR)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    return user


def plant_people() -> None:
    """Staff and shoppers; who sells comes with their stall."""
    staff = login(*STAFF, is_staff=True)
    totp_give(user=staff, secret=totp_secret_for(staff.email, state_dir=settings.STATE_DIR))
    for shopper in SHOPPERS:
        login(*shopper)
