"""References that people type: ISO 11649, of an id. Pure.

`RF`, two check digits, thirteen letters. The letters are base 32 without I, L, O and U, so nothing
looks like another, and what is typed for them all the same is understood.
"""

import re

from stdnum import iso11649
from stdnum.iso7064 import mod_97_10

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS = 13
LARGEST_ID = 2**63 - 1
LOOK_ALIKES = str.maketrans("OIL", "011")
# Overlapping ones too: what stands before a reference may look like its beginning.
CANDIDATE = re.compile(rf"(?=RF([0-9OIL]{{2}}[0-9A-Z]{{{LETTERS}}}))")


def reference_of(number: int) -> str:
    """The reference of an id; each id has its own."""
    letters = ""
    for _ in range(LETTERS):
        number, digit = divmod(number, len(ALPHABET))
        letters = ALPHABET[digit] + letters
    return f"RF{mod_97_10.calc_check_digits(letters + 'RF')}{letters}"


def spaced(reference: str) -> str:
    """In blocks of four, as it is read aloud and copied."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


def ids_in(text: str) -> list[int]:
    """The ids whose references stand in a text, each once, however they are spaced and cased.

    Only those whose check digits hold.
    """
    squeezed = re.sub(r"[^A-Z0-9]", "", text.upper())
    found = (match[1].translate(LOOK_ALIKES) for match in CANDIDATE.finditer(squeezed))
    ids = (_id_of(tail[2:]) for tail in found if iso11649.is_valid(f"RF{tail}"))
    return list(dict.fromkeys(number for number in ids if number is not None))


def _id_of(letters: str) -> int | None:
    number = 0
    for letter in letters:
        if letter not in ALPHABET:
            return None
        number = number * len(ALPHABET) + ALPHABET.index(letter)
    return number if number <= LARGEST_ID else None
