"""The one stylesheet: small, on its own, and with a part for every class that a page names."""

import re
from pathlib import Path

import pytest

from tests.shop.pages import gzipped_bytes

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static" / "base.css").read_text(encoding="utf-8")
PAGES = [
    path
    for folder in ("shop", "allauth")
    for path in sorted((ROOT / "templates" / folder).rglob("*.html"))
]
LIGHT, DARK = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
ON_PAPER = ("paper", "surface", "sunken")
PAIRS = [
    *(("ink", ground, 4.5) for ground in (*ON_PAPER, "accent-soft")),
    *(("ink-quiet", ground, 4.5) for ground in ON_PAPER),
    *(("accent", ground, 4.5) for ground in (*ON_PAPER, "accent-soft")),
    *((f"{kind}", f"{kind}-soft", 4.5) for kind in ("good", "wait", "bad")),
    *(("bad", ground, 4.5) for ground in ON_PAPER),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-strong", 4.5),
    *(("edge", ground, 3) for ground in ("paper", "surface")),
]


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_it_travels_in_fourteen_kilobytes() -> None:
    assert gzipped_bytes(CSS.encode()) <= 14_000


def test_it_asks_nobody_else_for_anything() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_words_and_edges_stand_out(scheme: str, front: str, ground: str, least: float) -> None:
    known = colours(LIGHT) | colours(scheme)

    assert contrast(known[front], known[ground]) >= least


def test_contrast_is_measured_as_the_guidelines_do() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_class_of_a_page_is_in_it() -> None:
    known = set(re.findall(r"\.([a-z_][\w-]*)", CSS))
    given = {
        name
        for path in PAGES
        for names in re.findall(r'class="([^"{}]+)"', path.read_text(encoding="utf-8"))
        for name in names.split()
    }

    assert given - known == set()
