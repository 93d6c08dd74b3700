"""Where channels notify us: verify, store, answer; `hook_process` does the rest later."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from core.hooks import receive


@csrf_exempt
def sandbox_hook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """The sandbox's endpoint; an id that is not ours is nowhere."""
    ours = settings.SANDBOX_ENDPOINT_ID
    if not ours or not constant_time_compare(endpoint_id, ours):
        raise Http404
    return receive(
        request,
        channel="sandbox",
        secrets=settings.SANDBOX_PAYMENT_SECRETS,
        event_type="payment_hook.received",
    )
