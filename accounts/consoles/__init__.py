"""The two consoles on Django's admin: `/merchant/` for merchants, `/platform/` for the platform.

`sites` says who comes in, `tables` whose rows they see, `acts` how something is done: on a page of
its own that shows first what will happen, and then by one service call.
"""

from accounts.consoles.acts import Act, ActForm, ReasonForm
from accounts.consoles.sites import (
    ConsoleSite,
    Figure,
    Menu,
    Page,
    member_of,
    merchant_site,
    navigation,
    platform_site,
)
from accounts.consoles.tables import ChoiceFilter, PlatformModelAdmin, TenantModelAdmin

__all__ = [
    "Act",
    "ActForm",
    "ChoiceFilter",
    "ConsoleSite",
    "Figure",
    "Menu",
    "Page",
    "PlatformModelAdmin",
    "ReasonForm",
    "TenantModelAdmin",
    "member_of",
    "merchant_site",
    "navigation",
    "platform_site",
]
