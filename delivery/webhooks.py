"""Where carriers notify us."""

from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from core.hooks import receive, verify_standard
from delivery.services.hook import CHANNEL


@csrf_exempt
def carrier_hook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """Verifies, stores, answers; 404 for an endpoint that is not ours."""
    if not constant_time_compare(endpoint_id, settings.SANDBOX_ENDPOINT_ID):
        return HttpResponse(status=404)
    return receive(
        request,
        channel=CHANNEL,
        verify=partial(verify_standard, secrets=settings.SANDBOX_CARRIER_SECRETS),
        event_type="parcel_hook.received",
    )
