"""What a shopper types about where and how to be reached: put in order, never rejected for spaces."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from core.countries import COUNTRIES, country_name
from orders.sentences import Problem

# The letters and digits of a postcode in groups, and what stands between them.
POSTCODES = {
    "AT": (r"(\d{4})", ""),
    "AU": (r"(\d{4})", ""),
    "BE": (r"(\d{4})", ""),
    "BG": (r"(\d{4})", ""),
    "BR": (r"(\d{5})(\d{3})", "-"),
    "CA": (r"([A-Z]\d[A-Z])(\d[A-Z]\d)", " "),
    "CH": (r"(\d{4})", ""),
    "CY": (r"(\d{4})", ""),
    "CZ": (r"(\d{3})(\d{2})", " "),
    "DE": (r"(\d{5})", ""),
    "DK": (r"(\d{4})", ""),
    "EE": (r"(\d{5})", ""),
    "ES": (r"(\d{5})", ""),
    "FI": (r"(\d{5})", ""),
    "FR": (r"(\d{5})", ""),
    "GB": (r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})", " "),
    "GR": (r"(\d{3})(\d{2})", " "),
    "HR": (r"(\d{5})", ""),
    "HU": (r"(\d{4})", ""),
    "IN": (r"(\d{6})", ""),
    "IT": (r"(\d{5})", ""),
    "JP": (r"(\d{3})(\d{4})", "-"),
    "LU": (r"(\d{4})", ""),
    "MX": (r"(\d{5})", ""),
    "NL": (r"(\d{4})([A-Z]{2})", " "),
    "NO": (r"(\d{4})", ""),
    "NZ": (r"(\d{4})", ""),
    "PL": (r"(\d{2})(\d{3})", "-"),
    "PT": (r"(\d{4})(\d{3})", "-"),
    "RO": (r"(\d{6})", ""),
    "SE": (r"(\d{3})(\d{2})", " "),
    "SI": (r"(\d{4})", ""),
    "SK": (r"(\d{3})(\d{2})", " "),
    "US": (r"(\d{5})(\d{4})?", "-"),
}

LONGEST = {
    "email": 254,
    "name": 120,
    "phone": 40,
    "line1": 200,
    "line2": 200,
    "city": 100,
    "region": 100,
    "postcode": 20,
}
LABELS = {
    "email": _("Email address"),
    "phone": _("Phone number"),
    "line1": _("Address line 1"),
    "line2": _("Address line 2"),
    "city": _("Town or city"),
    "region": _("Region"),
    "postcode": _("Postcode"),
}
EMPTY = {
    "email": "email.empty",
    "name": "name.empty",
    "line1": "address_line1.empty",
    "city": "town.empty",
    "country": "country.empty",
}
CONTACT = ("email", "name", "phone")
ADDRESS = ("line1", "line2", "city", "region", "postcode", "country")
FIELDS = (*CONTACT[:2], "country", "line1", "line2", "city", "region", "postcode", "phone")

SEPARATORS = re.compile("[\\s\\-.\N{HYPHEN}-\N{HORIZONTAL BAR}]+")
PHONE = re.compile(r"\+?[\d\s().\-/]{6,}")
FEWEST_PHONE_DIGITS = 6


def tidied(answers: Mapping[str, str]) -> dict[str, str]:
    """The answers without control characters and spare spaces; e-mail and country in one case."""
    clean = {name: _line(value) for name, value in answers.items()}
    if "email" in clean:
        clean["email"] = clean["email"].lower()
    if "country" in clean:
        clean["country"] = clean["country"].upper()
    if "postcode" in clean:
        clean["postcode"] = postcode_text(clean["postcode"], clean.get("country", ""))
    return clean


def problems_of(answers: Mapping[str, str], names: Collection[str] = FIELDS) -> list[Problem]:
    """What is wrong with these fields of tidied answers, in the order of the form."""
    return [
        problem
        for name in FIELDS
        if name in names and (problem := _problem(name, answers.get(name, ""), answers))
    ]


def postcode_text(typed: str, country: str) -> str:
    """The postcode as its country writes it; what does not fit is kept as typed, in capitals."""
    pattern, separator = POSTCODES.get(country, ("", ""))
    typed = unicodedata.normalize("NFKC", typed)
    match = _fits(pattern, typed.upper()) if pattern else None
    return separator.join(filter(None, match.groups())) if match else typed.upper()


def _fits(pattern: str, typed: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, SEPARATORS.sub("", typed), re.ASCII)


def address_lines(address: Mapping[str, str]) -> list[str]:
    """An address as lines to read, the country by its name."""
    place = " ".join(filter(None, (address.get("postcode"), address.get("city"))))
    lines = [address.get("name"), address.get("line1"), address.get("line2"), place]
    lines += [address.get("region"), country_name(address.get("country", ""))]
    return [line for line in lines if line]


def _line(typed: str) -> str:
    kept = (" " if char.isspace() else char for char in typed)
    return " ".join(
        "".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cs")).split()
    )


def _problem(name: str, value: str, answers: Mapping[str, str]) -> Problem | None:
    """The first thing that is wrong with one field."""
    return next(_wrong(name, value, answers), None)


def _wrong(name: str, value: str, answers: Mapping[str, str]) -> Iterator[Problem]:
    if not value and name in EMPTY:
        yield Problem(EMPTY[name], name)
    if len(value) > LONGEST.get(name, len(value)):
        yield _too_long(name)
    if check := CHECKS.get(name):
        yield from check(value, answers)


def _too_long(name: str) -> Problem:
    most = str(LONGEST[name])
    if name == "name":
        return Problem("name.too_long", name, {"most": most})
    return Problem("text.too_long", name, {"most": most, "label": str(LABELS[name])})


def _email(value: str, answers: Mapping[str, str]) -> Iterator[Problem]:
    try:
        validate_email(value)
    except ValidationError:
        yield Problem("email.format", "email")


def _country(value: str, answers: Mapping[str, str]) -> Iterator[Problem]:
    if value not in COUNTRIES:
        yield Problem("country.unknown", "country")


def _postcode(value: str, answers: Mapping[str, str]) -> Iterator[Problem]:
    """Only for countries whose postcodes we know; elsewhere it is the shopper's to say."""
    country = answers.get("country", "")
    if country not in POSTCODES:
        return
    if not value:
        yield Problem("postcode.empty", "postcode")
    elif not _fits(POSTCODES[country][0], value):
        yield Problem("postcode.country", "postcode", {"country": country_name(country)})


def _phone(value: str, answers: Mapping[str, str]) -> Iterator[Problem]:
    digits = sum(char.isdigit() for char in value)
    if value and not (PHONE.fullmatch(value) and digits >= FEWEST_PHONE_DIGITS):
        yield Problem("phone.format", "phone")


CHECKS = {"email": _email, "country": _country, "postcode": _postcode, "phone": _phone}
