"""Every channel in turn, each with its provider as a process of its own."""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import Generator
from core.ids.snowflake import EPOCH_MS
from payments.channels.base import Charge
from tests.payments.channels.rigs import RIGS, Rig, StripeRig

_keys = Generator(node=255, clock=lambda: int(time.time() * 1000) - EPOCH_MS)
_genes = itertools.cycle(range(4096))


@pytest.fixture(scope="module", params=RIGS)
def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    rig = RIGS[request.param](tmp_path_factory.mktemp(request.param))
    yield rig
    rig.stop()


@pytest.fixture
def rig(provider: Rig) -> Iterator[Rig]:
    with provider.installed():
        yield provider


@pytest.fixture(scope="module")
def stripe_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeRig]:
    rig = StripeRig(tmp_path_factory.mktemp("stripe"))
    yield rig
    rig.stop()


@pytest.fixture
def stripe(stripe_provider: StripeRig) -> Iterator[StripeRig]:
    """For what Stripe alone does, with an account in which nothing has happened."""
    stripe_provider.control("reset")
    stripe_provider.inbox.told.clear()
    with stripe_provider.installed():
        yield stripe_provider


def new_key(*, age: timedelta = timedelta(0)) -> str:
    """A key as our ids are, made just now or before."""
    gene = next(_genes)
    if not age:
        return str(_keys.new_id(gene))
    then = int(time.time() * 1000 - age.total_seconds() * 1000) - EPOCH_MS
    return str(Generator(node=254, clock=lambda: then).new_id(gene))


Charging = Callable[..., Charge]


@pytest.fixture
def charge(rig: Rig) -> Charging:
    """What is asked of the channel; `token` by what it means."""

    def asked(token: str = "page", amount_minor: int = 1000, **members: Any) -> Charge:
        return Charge(
            **{
                "key": new_key(),
                "amount_minor": amount_minor,
                "currency": "EUR",
                "token": rig.tokens[token],
                "return_url": "http://shop.example/return",
                "expires_at": datetime.now(UTC) + timedelta(minutes=30),
                **members,
            }
        )

    return asked
