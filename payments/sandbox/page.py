"""The hosted pay page: plain HTML that works without JavaScript. Looking at it changes nothing."""

from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template

from .payments import Payment, Payments, buttons
from .server import Answer, Request, RequestError, Route

TEMPLATE = Template(Path(__file__).with_name("pay.html").read_text(encoding="utf-8"))
STYLE = Path(__file__).with_name("pay.css").read_bytes()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

# ISO 4217 currencies whose minor unit is not a hundredth.
DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
LABELS = {"pay": "Pay", "refuse": "Refuse", "confirm": "Confirm", "fail": "Fail"}
QUESTIONS = {False: "Pay this amount?", True: "3-D Secure: is it you who pays this amount?"}
SENTENCES = {
    "requires_action": "It is too late: the time to pay is over.",
    "processing": "This payment is under way.",
    "authorised": "This payment is made.",
    "captured": "This payment is made.",
    "failed": "This payment failed. Nothing was paid.",
    "closed": "It is too late: this payment is closed.",
}
ENDED = {"authorised", "captured", "failed"}


def amount_text(amount_minor: int, currency: str) -> str:
    decimals = next((n for n, currencies in DECIMALS.items() if currency in currencies), 2)
    whole, fraction = divmod(amount_minor, 10**decimals)
    return f"{currency} {whole:,}" + (f".{fraction:0{decimals}}" if decimals else "")


class PayPage:
    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/pay/{}", self.show),
            Route("POST", "/pay/{}", self.press),
            Route("GET", "/pay.css", self.style),
        ]

    def show(self, request: Request) -> Answer:
        try:
            return _page(self._payments.get_by_ref(request.name), HTTPStatus.OK)
        except RequestError as error:
            return _html(error.status, "<p>There is no such payment.</p>")

    def press(self, request: Request) -> Answer:
        """Sends an ended payment's shopper back to the shop, an open one's to the next step."""
        payment = self._payments.press(request.name, request.form().get("button", ""))
        if payment.status in ENDED:
            return _see_other(payment.return_url)
        if payment.is_open:
            return _see_other(f"/pay/{payment.ref}")
        return _page(payment, HTTPStatus.CONFLICT)

    def style(self, request: Request) -> Answer:
        return Answer(HTTPStatus.OK, STYLE, "text/css; charset=utf-8")


def _page(payment: Payment, status: HTTPStatus) -> Answer:
    amount = escape(amount_text(payment.amount_minor, payment.currency))
    back = f'<p><a href="{escape(payment.return_url)}">Back to the shop</a></p>'
    return _html(status, f'<p class="amount">{amount}</p>{_form(payment)}{back}')


def _form(payment: Payment) -> str:
    offered = buttons(payment)
    if not offered:
        return f'<p role="status">{SENTENCES[payment.status]}</p>'
    controls = "".join(
        f'<button name="button" value="{name}">{LABELS[name]}</button>' for name in offered
    )
    question = QUESTIONS[bool(payment.challenged)]
    return f'<form method="post"><fieldset><legend>{question}</legend>{controls}</fieldset></form>'


def _html(status: HTTPStatus, content: str) -> Answer:
    body = TEMPLATE.substitute(content=content).encode()
    return Answer(status, body, "text/html; charset=utf-8", HEADERS)


def _see_other(address: str) -> Answer:
    return Answer(HTTPStatus.SEE_OTHER, b"", headers={**HEADERS, "Location": address})
