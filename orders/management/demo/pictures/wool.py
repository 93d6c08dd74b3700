"""Knitwear: outlines filled with stitches, some with a band of a pattern."""

from functools import lru_cache

from orders.management.demo.pictures.canvas import (
    FULL,
    Canvas,
    Colour,
    Mask,
    Point,
    blank,
    curve,
    darker,
    disc,
    inside,
    lighter,
    oval,
    polygon,
    rect,
    ring,
    stroke,
    union,
    without,
)

STITCH_WIDTH, STITCH_HEIGHT = 22, 18


@lru_cache(maxsize=1)
def stitches() -> Mask:
    """Rows of small V, over the whole sheet."""
    mask, pen = blank()
    for y in range(0, FULL, STITCH_HEIGHT):
        for x in range(0, FULL, STITCH_WIDTH):
            middle, low = x + STITCH_WIDTH / 2, y + STITCH_HEIGHT
            pen.line([(x + 2, y), (middle, low), (x + STITCH_WIDTH - 2, y)], fill=255, width=4)
    return mask


@lru_cache(maxsize=1)
def ribs() -> Mask:
    """Upright lines, as at cuffs and hems."""
    mask, pen = blank()
    for x in range(0, FULL, 18):
        pen.line([(x, 0), (x, FULL)], fill=255, width=6)
    return mask


@lru_cache(maxsize=1)
def cables() -> Mask:
    """Twisted cords from top to bottom."""
    mask, pen = blank()
    for x in range(60, FULL, 120):
        for y in range(0, FULL, 48):
            pen.line([(x - 18, y), (x + 18, y + 48)], fill=255, width=7)
            pen.line([(x + 18, y), (x - 18, y + 48)], fill=255, width=7)
    return mask


def diamonds(y: float, size: float = 0.03) -> Mask:
    """A row of diamonds across the sheet."""
    mask, pen = blank()
    side, middle = size * FULL, y * FULL
    x = 0.0
    while x < FULL:
        pen.polygon(
            [
                (x, middle),
                (x + side, middle - side),
                (x + 2 * side, middle),
                (x + side, middle + side),
            ],
            fill=255,
        )
        x += 2.4 * side
    return mask


def knit(canvas: Canvas, shape: Mask, colour: Colour) -> None:
    canvas.body(shape, colour)
    canvas.paint(inside(shape, stitches()), darker(colour, 0.35), strength=0.4)


def ribbed(canvas: Canvas, shape: Mask, colour: Colour) -> None:
    canvas.body(shape, colour)
    canvas.paint(inside(shape, ribs()), darker(colour, 0.35), strength=0.5)


def banded(canvas: Canvas, shape: Mask, colour: Colour, accent: Colour, *ys: float) -> None:
    """Knitted, with a band of diamonds at each height."""
    knit(canvas, shape, colour)
    for y in ys:
        for offset in (-0.05, 0.042):
            canvas.paint(inside(shape, rect(0, y + offset, 1, y + offset + 0.01)), accent)
        canvas.paint(inside(shape, diamonds(y)), accent)
        canvas.paint(
            inside(inside(shape, diamonds(y)), stitches()), darker(accent, 0.3), strength=0.35
        )


BODY: list[Point] = [(0.36, 0.2), (0.64, 0.2), (0.7, 0.28), (0.69, 0.82), (0.31, 0.82), (0.3, 0.28)]
LEFT_SLEEVE: list[Point] = [(0.35, 0.21), (0.28, 0.26), (0.13, 0.7), (0.22, 0.74), (0.33, 0.45)]


def mirrored(points: list[Point]) -> list[Point]:
    return [(1 - x, y) for x, y in points]


def sweater(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    shape = polygon(BODY, 0.03)
    sleeves = union(polygon(LEFT_SLEEVE, 0.03), polygon(mirrored(LEFT_SLEEVE), 0.03))
    knit(canvas, sleeves, darker(main, 0.08))
    if "Fisherman" in title or "Cable" in title:
        knit(canvas, shape, main)
        canvas.paint(inside(shape, cables()), darker(main, 0.3), strength=0.5)
    else:
        banded(canvas, shape, main, accent, 0.36)
    ribbed(canvas, inside(shape, rect(0, 0.77, 1, 1)), darker(main, 0.1))
    ribbed(canvas, inside(sleeves, rect(0, 0.68, 1, 1)), darker(main, 0.15))
    ribbed(canvas, oval(0.4, 0.155, 0.6, 0.26), darker(main, 0.15))
    canvas.paint(oval(0.425, 0.165, 0.575, 0.235), darker(main, 0.5))


def cardigan(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    shape = polygon(BODY, 0.03)
    sleeves = union(polygon(LEFT_SLEEVE, 0.03), polygon(mirrored(LEFT_SLEEVE), 0.03))
    knit(canvas, sleeves, darker(main, 0.08))
    knit(canvas, shape, main)
    canvas.paint(polygon([(0.42, 0.18), (0.58, 0.18), (0.5, 0.46)]), darker(main, 0.55))
    ribbed(canvas, inside(shape, rect(0, 0.77, 1, 1)), darker(main, 0.1))
    ribbed(canvas, inside(sleeves, rect(0, 0.68, 1, 1)), darker(main, 0.15))
    for x in (0.42, 0.58):
        canvas.paint(stroke([(x, 0.19), (0.5 + (x - 0.5) * 0.12, 0.46)], 0.028), darker(main, 0.18))
    canvas.paint(rect(0.485, 0.45, 0.515, 0.83), darker(main, 0.18))
    for n in range(5):
        canvas.paint(disc(0.5, 0.5 + n * 0.07, 0.014), accent)


def vest(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    arms = union(oval(0.2, 0.2, 0.36, 0.5), oval(0.64, 0.2, 0.8, 0.5))
    shape = without(polygon(BODY, 0.03), arms)
    banded(canvas, shape, main, accent, 0.6)
    canvas.paint(
        inside(shape, polygon([(0.42, 0.17), (0.58, 0.17), (0.5, 0.42)])), darker(main, 0.5)
    )
    ribbed(canvas, inside(shape, rect(0, 0.77, 1, 1)), darker(main, 0.12))


def beanie(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    dome = polygon(
        curve(
            [
                (0.22, 0.66),
                (0.24, 0.44),
                (0.36, 0.26),
                (0.5, 0.22),
                (0.64, 0.26),
                (0.76, 0.44),
                (0.78, 0.66),
            ]
        )
    )
    knit(canvas, dome, main)
    ribbed(canvas, rect(0.2, 0.6, 0.8, 0.76, 0.03), darker(main, 0.12))
    if "Pom" in title:
        for radius, share in ((0.1, 0.0), (0.07, 0.2), (0.04, 0.4)):
            canvas.paint(disc(0.5, 0.2, radius), lighter(accent, share))


def mittens(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    for lean, flip in ((-0.19, 1), (0.19, -1)):
        x = 0.5 + lean
        thumb = stroke([(x + flip * 0.1, 0.6), (x + flip * 0.17, 0.44)], 0.085)
        hand = rect(x - 0.13, 0.22, x + 0.13, 0.72, 0.13)
        knit(canvas, thumb, darker(main, 0.1))
        banded(canvas, without(hand, rect(0, 0.68, 1, 1)), main, accent, 0.46)
        ribbed(canvas, rect(x - 0.12, 0.66, x + 0.12, 0.84, 0.02), darker(main, 0.12))


def socks(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    for x, y in ((0.1, 0.06), (0.0, 0.0)):
        outline = [
            (0.3, 0.16),
            (0.5, 0.16),
            (0.5, 0.54),
            (0.74, 0.68),
            (0.75, 0.8),
            (0.4, 0.8),
            (0.3, 0.62),
        ]
        leg = polygon([(px + x, py + y) for px, py in outline], 0.05)
        knit(canvas, leg, darker(main, 0.12 if x else 0.0))
        canvas.paint(
            inside(
                leg,
                polygon(
                    [
                        (0.64 + x, 0.55 + y),
                        (0.9 + x, 0.6 + y),
                        (0.9 + x, 0.9 + y),
                        (0.6 + x, 0.9 + y),
                    ]
                ),
            ),
            accent,
        )
        canvas.paint(inside(leg, disc(0.33 + x, 0.77 + y, 0.1)), accent)
        ribbed(canvas, inside(leg, rect(0, 0, 1, 0.24 + y)), darker(main, 0.15))


def scarf(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    for x0, x1, y in ((0.52, 0.68, 0.8), (0.36, 0.52, 0.84)):
        ribbed(canvas, rect(x0, 0.3, x1, y), darker(main, 0.1 if x0 > 0.4 else 0.0))
        for n in range(6):
            x = x0 + 0.012 + n * 0.027
            canvas.paint(stroke([(x, y), (x, y + 0.06)], 0.012), main)
        canvas.paint(rect(x0, y - 0.1, x1, y - 0.07), accent)
    loop = without(oval(0.27, 0.14, 0.75, 0.46), oval(0.38, 0.18, 0.64, 0.34))
    ribbed(canvas, loop, main)


def snood(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.76, 0.6)
    knit(canvas, union(rect(0.2, 0.42, 0.8, 0.7), oval(0.2, 0.58, 0.8, 0.8)), main)
    canvas.body(oval(0.2, 0.3, 0.8, 0.54), lighter(main, 0.12))
    canvas.paint(oval(0.26, 0.34, 0.74, 0.5), darker(main, 0.5))
    for y in (0.56, 0.65):
        line = curve([(0.2, y), (0.5, y + 0.1), (0.8, y)])
        canvas.paint(stroke(line, 0.012), darker(main, 0.25))


def legwarmers(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    for x in (0.33, 0.66):
        tube = polygon(
            [(x - 0.11, 0.18), (x + 0.11, 0.18), (x + 0.13, 0.82), (x - 0.13, 0.82)], 0.02
        )
        knit(canvas, tube, main)
        for y in (0.34, 0.42, 0.5):
            canvas.paint(inside(tube, rect(0, y, 1, y + 0.03)), accent)
        ribbed(
            canvas,
            inside(tube, union(rect(0, 0, 1, 0.25), rect(0, 0.74, 1, 1))),
            darker(main, 0.12),
        )


def headband(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.68, 0.6)
    outer, inner = oval(0.18, 0.32, 0.82, 0.7), oval(0.25, 0.3, 0.75, 0.54)
    canvas.paint(inside(outer, inner), darker(main, 0.45))
    knit(canvas, without(outer, inner), main)
    knit(
        canvas,
        polygon([(0.44, 0.54), (0.56, 0.54), (0.57, 0.7), (0.43, 0.7)], 0.03),
        darker(main, 0.15),
    )


def folded(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    """A blanket, folded three times."""
    canvas.shadow(0.5, 0.84, 0.72)
    for n, y in enumerate((0.68, 0.53, 0.38)):
        layer = rect(0.18, y, 0.82, y + 0.16, 0.06)
        knit(canvas, layer, darker(main, 0.12 - n * 0.06))
        canvas.paint(inside(layer, rect(0, y + 0.06, 1, y + 0.08)), accent)
    top = polygon([(0.25, 0.26), (0.75, 0.26), (0.82, 0.4), (0.18, 0.4)], 0.02)
    banded(canvas, top, lighter(main, 0.08), accent, 0.34)


def cushion(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.82, 0.62)
    corners = [
        (0.2, 0.24),
        (0.5, 0.28),
        (0.8, 0.24),
        (0.77, 0.52),
        (0.8, 0.8),
        (0.5, 0.77),
        (0.2, 0.8),
        (0.23, 0.52),
        (0.2, 0.24),
    ]
    banded(canvas, polygon(curve(corners), 0.02), main, accent, 0.4, 0.53, 0.66)


def slippers(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    for x in (0.32, 0.68):
        canvas.shadow(x, 0.86, 0.26)
        sole = oval(x - 0.135, 0.2, x + 0.135, 0.86)
        canvas.paint(sole, darker(accent, 0.2))
        canvas.paint(oval(x - 0.1, 0.24, x + 0.1, 0.6), lighter(accent, 0.25))
        knit(canvas, inside(sole, rect(0, 0.48, 1, 1)), main)
        canvas.paint(inside(sole, rect(0, 0.48, 1, 0.52)), darker(main, 0.3))


def shawl(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    shape = polygon([(0.1, 0.28), (0.9, 0.28), (0.5, 0.8)], 0.03)
    for n in range(13):
        share = n / 12
        x = 0.1 + 0.8 * share
        y = 0.28 + 0.52 * (1 - abs(2 * share - 1))
        canvas.paint(stroke([(x, y), (x, y + 0.09)], 0.012), main)
    banded(canvas, shape, main, accent, 0.36, 0.5)


def yarn(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.8, 0.52)
    tail = curve([(0.6, 0.76), (0.76, 0.8), (0.82, 0.72), (0.93, 0.8)])
    canvas.paint(stroke(tail, 0.014), main)
    ball = disc(0.47, 0.53, 0.27)
    canvas.body(ball, main)
    for n in range(-4, 9):
        arc = ring(0.47 + n * 0.07, 0.53 + n * 0.07, 0.3, 0.008)
        canvas.paint(inside(ball, arc), darker(main, 0.3), strength=0.7)
        arc = ring(0.62 - n * 0.06, 0.42 + n * 0.06, 0.24, 0.007)
        canvas.paint(inside(ball, arc), lighter(main, 0.3), strength=0.6)
    if "Needles" in title or "Kit" in title:
        for lean in (0.0, 0.14):
            canvas.paint(stroke([(0.2 + lean, 0.16), (0.72 + lean, 0.62)], 0.018), accent)
            canvas.paint(disc(0.2 + lean, 0.16, 0.03), darker(accent, 0.3))
