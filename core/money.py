"""Money: an amount in integer minor units and its currency. Pure: no Django, no floats, no Decimal.

The minor unit of a currency is 10 to the power of minus its ISO 4217 exponent: 9.50 EUR is 950,
950 JPY is 950, 9.500 KWD is 9500.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# ISO 4217 list one (with the amendments up to Bulgaria's euro of January 2026). Codes without a
# minor unit (metals, bond units, XDR, XTS, XXX) are absent: nobody pays with them.
_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {
    code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()
}

# Above this a JSON number is no longer exact.
LARGEST_MINOR = 2**53
BASIS_POINTS = 10_000
PARTS_PER_MILLION = 1_000_000

_DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


class CurrencyMismatch(ValueError):
    """Two currencies met in one sum or comparison."""


class UnknownCurrency(ValueError):
    """Not the code of an ISO 4217 currency that has a minor unit."""


class InvalidAmount(ValueError):
    """A text is no amount of its currency; `reason` says why."""

    class Reason(StrEnum):
        """What is wrong with the text."""

        FORMAT = "format"
        DECIMALS = "decimals"
        SIZE = "size"

    def __init__(self, text: str, reason: Reason) -> None:
        super().__init__(f"{text[:40]!r}: {reason}")
        self.reason = reason


def exponent(currency: str) -> int:
    """How many decimals the currency has. Raises UnknownCurrency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount, below zero too, of a known currency. Only equal currencies add and compare."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError(f"{self.amount_minor!r} is not an integer of minor units")
        exponent(self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount_minor + self._minor_of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount_minor - self._minor_of(other), self.currency)

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.amount_minor * quantity, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    def __lt__(self, other: "Money") -> bool:
        return self.amount_minor < self._minor_of(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount_minor <= self._minor_of(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount_minor > self._minor_of(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount_minor >= self._minor_of(other)

    def decimal_text(self) -> str:
        """The amount in major units as `parse` reads it: 9.50, -0.05, 950."""
        decimals = exponent(self.currency)
        sign = "-" if self.amount_minor < 0 else ""
        digits = str(abs(self.amount_minor)).rjust(decimals + 1, "0")
        return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits

    def _minor_of(self, other: "Money") -> int:
        if not isinstance(other, Money):
            raise TypeError(f"{other!r} is not money")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.amount_minor


def parse(text: str, currency: str) -> Money:
    """Decimal text in major units ("9.5", "-0.05", "950"): ASCII digits, a point, a minus.

    Raises UnknownCurrency, and InvalidAmount for anything else: more decimals than the currency
    has, grouping, exponents, spaces, NaN, more than 2**53 minor units.
    """
    decimals = exponent(currency)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise InvalidAmount(text, InvalidAmount.Reason.FORMAT)
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > decimals:
        raise InvalidAmount(text, InvalidAmount.Reason.DECIMALS)
    digits = (whole + fraction.ljust(decimals, "0")).lstrip("0") or "0"
    # The length first: int() refuses thousands of digits with an error of its own.
    if len(digits) > len(str(LARGEST_MINOR)) or int(digits) > LARGEST_MINOR:
        raise InvalidAmount(text, InvalidAmount.Reason.SIZE)
    amount_minor = int(digits)
    return Money(-amount_minor if sign else amount_minor, currency)


def allocate(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Splits an amount by weights so that the parts sum to it exactly (largest remainder).

    Units left over go to the largest remainders, of equal ones to the earlier. A negative amount
    is the mirror of the positive one. Where all weights are 0 the parts are equal, up to a unit.
    ValueError without weights and for a negative one.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"can't allocate by {list(weights)}")
    if amount_minor < 0:
        return [-part for part in allocate(-amount_minor, weights)]
    total = sum(weights)
    if total == 0:
        return allocate(amount_minor, [1] * len(weights))
    parts = [amount_minor * weight // total for weight in weights]
    # sorted() is stable, so equal remainders keep their order.
    by_remainder = sorted(
        range(len(weights)), key=lambda place: -(amount_minor * weights[place] % total)
    )
    for place in by_remainder[: amount_minor - sum(parts)]:
        parts[place] += 1
    return parts


def share_half_up(amount_minor: int, basis_points: int) -> int:
    """`basis_points` / 10,000 of an amount, rounded to the nearest unit, halves away from zero.

    ValueError unless they are from 0 to 10,000.
    """
    if basis_points < 0:
        raise ValueError(f"{basis_points} basis points")
    return prorate_half_up(amount_minor, basis_points, BASIS_POINTS)


def percent_text(parts_per_million: int) -> str:
    """A rate in per cent, as short as it can be: 190,000 is 19, 88,750 is 8.875."""
    whole, rest = divmod(parts_per_million, PARTS_PER_MILLION // 100)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".")


def prorate_half_up(amount_minor: int, part: int, whole: int) -> int:
    """`part` of `whole` of an amount, rounded to the nearest unit, halves away from zero.

    Nothing of nothing. ValueError unless the part is none, some or all of the whole.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole}")
    if not part:
        return 0
    share = (abs(amount_minor) * part * 2 + whole) // (2 * whole)
    return -share if amount_minor < 0 else share
