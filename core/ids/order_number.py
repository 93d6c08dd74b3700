"""Order numbers: what people read, type and say. `settings.ORDER_NUMBER_STRATEGY` chooses the kind.

A number belongs to an order group; its orders are the number with `-1`, `-2`. A number identifies
and never permits. Changing strategy or key leaves stored numbers as they are, but
`id_from_number` then no longer reads them.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from core.ids.snowflake import EPOCH_MS, LAST_ID, MS_SHIFT, ms_of
from core.ids.uuids import ordered_of, uuid7_of

# Crockford's base 32: no I, L, O (read as 1, 1, 0) and no U.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
SYMBOL = "[0-9A-HJKMNP-TV-Z]"
POSITION = "([1-9][0-9]{0,2})"

MISREAD = str.maketrans("OIL", "011")
DASHES = re.compile("[\N{HYPHEN}-\N{HORIZONTAL BAR}\N{MINUS SIGN}]")

# What of an id lies below its millisecond: node, sequence, gene.
BELOW_MS_MASK = (1 << MS_SHIFT) - 1


class Channel(StrEnum):
    """Where an order was placed."""

    WEB = "web"
    APP = "app"
    API = "api"
    POS = "pos"
    PHONE = "phone"
    IMPORT = "import"


# Frozen: they stand in numbers that people hold.
CHANNEL_SYMBOLS = {
    Channel.WEB: "W",
    Channel.APP: "A",
    Channel.API: "X",
    Channel.POS: "P",
    Channel.PHONE: "T",
    Channel.IMPORT: "M",
}


class Strategy(ABC):
    """One kind of number. `shape` matches a cleaned text: the number, then an order's position."""

    shape: ClassVar[re.Pattern[str]]

    @abstractmethod
    def number_for(self, id: int, channel: Channel) -> str:
        """The number of the group with this id."""

    def id_from_number(self, number: str) -> int | None:
        """The id in a number spelt as `number_for` does; None where there is none."""
        return None

    def spell(self, number: str) -> str:
        """The spelling of `number_for` for what `shape` has matched."""
        return number


class BusinessNumber(Strategy):
    """`SSSSSSC-XXXX-XXXK`: the second, the channel, the scrambled rest of the id, a check symbol.

    Six symbols of seconds sort numbers by time and last until 2060. The rest (35 bits) is a keyed
    Feistel permutation with the second as tweak, so that a number gives no volume away.
    """

    shape = re.compile(f"((?:-?{SYMBOL}){{15}})(?:-?{POSITION})?")

    SECONDS_BITS = 30
    LEFT_BITS, RIGHT_BITS = 17, 18
    ROUNDS = range(10)

    def number_for(self, id: int, channel: Channel) -> str:
        seconds, ms_in_second = divmod(ms_of(id), 1000)
        if seconds >> self.SECONDS_BITS:
            raise ValueError(f"the second of id {id} does not fit into a number")
        rest = self._scramble(ms_in_second << MS_SHIFT | id & BELOW_MS_MASK, seconds, self.ROUNDS)
        symbols = symbols_of(seconds, 6) + CHANNEL_SYMBOLS[channel] + symbols_of(rest, 7)
        return self.spell(symbols + check_symbol(symbols))

    def id_from_number(self, number: str) -> int | None:
        symbols = number.replace("-", "")
        if check_symbol(symbols[:-1]) != symbols[-1]:
            return None
        if symbols[6] not in CHANNEL_SYMBOLS.values():
            return None
        seconds = value_of(symbols[:6])
        rest = self._scramble(value_of(symbols[7:14]), seconds, reversed(self.ROUNDS))
        ms_in_second = rest >> MS_SHIFT
        if ms_in_second >= 1000:
            return None
        return (seconds * 1000 + ms_in_second) << MS_SHIFT | rest & BELOW_MS_MASK

    def spell(self, number: str) -> str:
        symbols = number.replace("-", "")
        return f"{symbols[:7]}-{symbols[7:11]}-{symbols[11:]}"

    def _scramble(self, value: int, seconds: int, rounds: Iterable[int]) -> int:
        """The permutation, or its inverse with the rounds the other way round."""
        left, right = value >> self.RIGHT_BITS, value & ((1 << self.RIGHT_BITS) - 1)
        for number in rounds:
            if number % 2:
                right ^= keyed_bits(self.RIGHT_BITS, "half", seconds, number, left)
            else:
                left ^= keyed_bits(self.LEFT_BITS, "half", seconds, number, right)
        return left << self.RIGHT_BITS | right


class SequenceNumber(Strategy):
    """1000, 1001, 1002 from a database sequence: short, and tells everyone how much you sell."""

    shape = re.compile(f"([0-9]{{1,19}})(?:-{POSITION})?")

    def number_for(self, id: int, channel: Channel) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('core_order_number_seq')")
            return str(cursor.fetchone()[0])


class Uuid7Number(Strategy):
    """A UUIDv7 made of the id: its millisecond, a keyed tag, and the rest masked by the tag."""

    shape = re.compile(f"((?:-?[0-9A-F]){{32}})(?:-?{POSITION})?")

    TAG_BITS = 74 - MS_SHIFT

    def number_for(self, id: int, channel: Channel) -> str:
        unix_ms = ms_of(id) + EPOCH_MS
        tag = keyed_bits(self.TAG_BITS, "tag", id)
        rest = id & BELOW_MS_MASK ^ keyed_bits(MS_SHIFT, "mask", unix_ms, tag)
        return str(uuid7_of(unix_ms << 74 | tag << MS_SHIFT | rest))

    def id_from_number(self, number: str) -> int | None:
        unix_ms, low = divmod(ordered_of(UUID(number)), 1 << 74)
        tag, rest = divmod(low, 1 << MS_SHIFT)
        below_ms = rest ^ keyed_bits(MS_SHIFT, "mask", unix_ms, tag)
        id = (unix_ms - EPOCH_MS) << MS_SHIFT | below_ms
        if not 0 <= id <= LAST_ID or self.number_for(id, Channel.WEB) != number:
            return None
        return id

    def spell(self, number: str) -> str:
        return str(UUID(number))


class SnowflakeNumber(Strategy):
    """The digits of the id itself."""

    shape = re.compile(f"([0-9]{{1,19}})(?:-{POSITION})?")

    def number_for(self, id: int, channel: Channel) -> str:
        return str(id)

    def id_from_number(self, number: str) -> int | None:
        return int(number) if int(number) <= LAST_ID else None

    def spell(self, number: str) -> str:
        return str(int(number))


STRATEGIES: dict[str, Strategy] = {
    "business": BusinessNumber(),
    "sequence": SequenceNumber(),
    "uuid7": Uuid7Number(),
    "snowflake": SnowflakeNumber(),
}


def number_for(id: int, channel: Channel) -> str:
    """The number of a new order group. Only `sequence` asks the database, and differs each time."""
    if not 0 <= id <= LAST_ID:
        raise ValueError(f"{id} is outside the 63 bits of an id")
    return _strategy().number_for(id, channel)


def number_of_order(group_number: str, position: int) -> str:
    """The number of a group's order; positions count 1, 2, 3."""
    return f"{group_number}-{position}"


def id_from_number(text: str) -> int | None:
    """The group's id from its number or an order's, however typed.

    None for what is no number of ours, and always with the strategy `sequence`.
    """
    number, _ = _parse(text)
    return _strategy().id_from_number(number) if number else None


def normalise(text: str) -> str:
    """A typed number (group's or order's) spelt as we do; empty for what can't be one.

    Case, spaces and dashes do not matter; O, I and L are read as 0, 1 and 1.
    """
    number, position = _parse(text)
    return f"{number}-{position}" if position else number


def check_symbol(symbols: str) -> str:
    """The last symbol of a business number: catches every wrong symbol and every swapped pair.

    A linear code over GF(32), with a root `a` of x⁵ + x² + 1: symbol i of 14 weighs a^(14 - i), the
    check symbol 1. All weights differ, so no exchange of two unequal symbols keeps the sum.
    """
    total = 0
    for symbol in symbols:
        total = (total ^ VALUES[symbol]) << 1
        if total & 0b100000:
            total ^= 0b100101
    return ALPHABET[total]


def symbols_of(value: int, length: int) -> str:
    """A value as that many symbols, the highest first."""
    return "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(length)))


def value_of(symbols: str) -> int:
    """The inverse of `symbols_of`."""
    value = 0
    for symbol in symbols:
        value = value << 5 | VALUES[symbol]
    return value


def keyed_bits(bits: int, purpose: str, *values: int) -> int:
    """That many pseudo-random bits (up to 64) of the values, by `settings.ORDER_NUMBER_KEY`."""
    message = b"".join(value.to_bytes(8, "big") for value in values)
    digest = blake2b(
        message, digest_size=8, key=_key(settings.ORDER_NUMBER_KEY), person=purpose.encode()
    ).digest()
    return int.from_bytes(digest, "big") & ((1 << bits) - 1)


@lru_cache
def _key(secret: str) -> bytes:
    if not secret:
        raise ImproperlyConfigured("ORDER_NUMBER_KEY is empty")
    return blake2b(secret.encode(), digest_size=32).digest()


def _strategy() -> Strategy:
    name = settings.ORDER_NUMBER_STRATEGY
    if name not in STRATEGIES:
        raise ImproperlyConfigured(f"ORDER_NUMBER_STRATEGY is {name!r}, not of {[*STRATEGIES]}")
    return STRATEGIES[name]


def _parse(text: str) -> tuple[str, str]:
    """The number in our spelling and the order's position; empty where there is none."""
    plain = DASHES.sub("-", unicodedata.normalize("NFKC", text)).upper().translate(MISREAD)
    strategy = _strategy()
    match = strategy.shape.fullmatch("".join(plain.split()))
    if match is None:
        return "", ""
    return strategy.spell(match[1].replace("-", "")), match[2] or ""
