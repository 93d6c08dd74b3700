"""References: each id has its own, typed in any way it is found, mistyped it is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.references import ALPHABET, LARGEST_ID, ids_in, reference_of, spaced

IDS = st.integers(min_value=0, max_value=LARGEST_ID)


@given(IDS)
@settings(max_examples=300, deadline=None)
def test_a_reference_leads_back_to_its_id(number: int) -> None:
    assert ids_in(reference_of(number)) == [number]
    assert ids_in(f"Order: {spaced(reference_of(number)).lower()}.") == [number]


@given(IDS, st.integers(min_value=4, max_value=16), st.sampled_from(ALPHABET))
@settings(max_examples=300, deadline=None)
def test_no_letter_that_is_mistyped_leads_to_another_id(number: int, at: int, letter: str) -> None:
    reference = reference_of(number)
    typed = reference[:at] + letter + reference[at + 1 :]
    assert (number in ids_in(typed)) == (typed == reference)


@given(IDS, st.integers(min_value=4, max_value=15))
@settings(max_examples=300, deadline=None)
def test_two_letters_in_the_wrong_order_do_not_lead_there(number: int, at: int) -> None:
    reference = reference_of(number)
    typed = reference[:at] + reference[at + 1] + reference[at] + reference[at + 2 :]
    assert (number in ids_in(typed)) == (typed == reference)


@pytest.mark.parametrize("between", [" ", "-", "", "/", "\n", " . "])
def test_it_may_be_spaced_in_any_way(between: str) -> None:
    reference = reference_of(8_765_432_109_876_543_210)
    assert ids_in(between.join(reference)) == [8_765_432_109_876_543_210]


def test_letters_that_look_alike_are_understood() -> None:
    number = 2**62 + 1
    reference = reference_of(number)
    typed = reference[:4] + reference[4:].replace("0", "O").replace("1", "l")
    assert typed != reference
    assert ids_in(typed) == [number]


def test_several_are_found_each_once() -> None:
    one, two = reference_of(1), reference_of(2)
    assert ids_in(f"{one} and {two}, that is {one}") == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        *("", "RF", "thanks", "RF18", "RF185390070345XX", "RF" + "Z" * 15),
        "RF98ZZZZZZZZZZZZZ",  # an id that is too large has check digits too
    ],
)
def test_nothing_is_found_where_there_is_none(text: str) -> None:
    assert ids_in(text) == []
