"""What a merchant's server calls, and the control that makes a parcel move."""

from dataclasses import asdict
from http import HTTPStatus

from . import fields
from .book import now
from .parcels import CODES, Parcel, Parcels
from .server import Answer, Request, Route, json_answer


class Api:
    def __init__(self, parcels: Parcels) -> None:
        self._parcels = parcels

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/healthz", self.health),
            Route("POST", "/parcels", self.announce),
            Route("GET", "/parcels/{}", self.parcel),
            Route("POST", "/control/scan", self.scan),
        ]

    def health(self, request: Request) -> Answer:
        with self._parcels.book.transaction():
            return json_answer({"status": "ok"})

    def announce(self, request: Request) -> Answer:
        """An address may come with it; the sandbox delivers nothing and keeps none."""
        parcel, is_new = self._parcels.announce(fields.key(request.members()))
        return _answer(parcel, HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    def parcel(self, request: Request) -> Answer:
        return _answer(self._parcels.get(request.name))

    def scan(self, request: Request) -> Answer:
        members = {"at": now()} | request.members()
        parcel = self._parcels.scan(
            key=fields.key(members),
            code=fields.choice(members, "code", CODES),
            at=fields.moment(members, "at"),
        )
        return _answer(parcel, HTTPStatus.CREATED)


def _answer(parcel: Parcel, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return json_answer({**asdict(parcel), "status": parcel.status}, status)
