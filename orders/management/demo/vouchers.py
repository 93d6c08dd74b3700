"""The demo's vouchers: two of the platform, one that a merchant pays for."""

from accounts.models import Merchant
from orders.management.demo.stalls import SEED
from orders.models import Voucher
from orders.services.voucher_terms import NewVoucher, voucher_create

WELCOME = NewVoucher(
    code="WELCOME10",
    kind=Voucher.Kind.PERCENTAGE,
    basis_points=1000,
    funded_by=Voucher.Funder.PLATFORM,
    per_customer_limit=1,
)
FREE_DELIVERY = NewVoucher(
    code="FREESHIP",
    kind=Voucher.Kind.FREE_DELIVERY,
    funded_by=Voucher.Funder.PLATFORM,
    total_limit=50,
)
SELLER = "harbour-tea"


def print_vouchers() -> None:
    """Those that are not there yet; what has become of the others stays."""
    merchant = Merchant.objects.get(slug=SELLER)
    tea = NewVoucher(
        code="TEATIME",
        kind=Voucher.Kind.FIXED,
        amount_minor=300,
        currency=merchant.currency,
        funded_by=Voucher.Funder.MERCHANT,
        merchant_id=merchant.pk,
        minimum_minor=2000,
    )
    known = set(Voucher.objects.values_list("code", flat=True))
    for voucher in (WELCOME, FREE_DELIVERY, tea):
        if voucher.code not in known:
            voucher_create(voucher=voucher, actor=SEED)
