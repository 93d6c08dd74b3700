"""Records and what they are played, kept and cleaned with."""

from collections.abc import Callable
from zlib import crc32

from orders.management.demo.pictures.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Mask,
    curve,
    darker,
    disc,
    ink,
    inside,
    lighter,
    oval,
    polygon,
    rect,
    ring,
    stroke,
    union,
    wave,
)

VINYL: Colour = (28, 28, 32)
Art = Callable[[Canvas, Mask, Colour, Colour], None]


def vinyl(canvas: Canvas, x: float, y: float, radius: float, label: Colour) -> None:
    canvas.paint(disc(x, y, radius), VINYL)
    for n in range(7):
        canvas.paint(ring(x, y, radius * (0.95 - n * 0.08), 0.003), (64, 64, 70))
    canvas.paint(disc(x, y, radius * 0.36), label)
    canvas.paint(disc(x, y, radius * 0.04), WHITE)


def lights(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    """Lamps over water, and what the water makes of them."""
    canvas.paint(inside(area, rect(0, 0.56, 1, 1)), darker(main, 0.3))
    for n in range(6):
        x = 0.2 + n * 0.09
        canvas.paint(inside(area, disc(x, 0.5, 0.022)), accent)
        for row in range(4):
            line = rect(
                x - 0.02 + row * 0.003,
                0.6 + row * 0.045,
                x + 0.02 - row * 0.003,
                0.61 + row * 0.045,
            )
            canvas.paint(inside(area, line), accent, strength=0.8 - row * 0.15)


def sun(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    canvas.paint(inside(area, disc(0.42, 0.52, 0.17)), accent)
    for n in range(5):
        canvas.paint(inside(area, rect(0, 0.52 + n * 0.045, 1, 0.53 + n * 0.05)), main)


def hills(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    canvas.paint(inside(area, disc(0.56, 0.38, 0.07)), lighter(accent, 0.4))
    for n, share in enumerate((0.0, 0.25, 0.5)):
        edge = wave(0, 1, 0.54 + n * 0.09, 0.05, 0.42 + n * 0.13)
        canvas.paint(inside(area, polygon([*edge, (1, 1), (0, 1)])), darker(accent, share))


def rain(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    for n in range(46):
        x, y = 0.12 + n * 37 % 62 * 0.01, 0.31 + n * 23 % 50 * 0.01
        canvas.paint(inside(area, stroke([(x, y), (x - 0.012, y + 0.045)], 0.006)), accent)
    frame = union(rect(0.4, 0.3, 0.412, 0.9), rect(0.1, 0.52, 0.8, 0.532))
    canvas.paint(inside(area, frame), darker(main, 0.4))


def rails(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    canvas.paint(inside(area, disc(0.5, 0.36, 0.06)), lighter(accent, 0.5))
    for n in range(8):
        y, half = 0.5 + n * n * 0.0062, 0.03 + n * 0.034
        canvas.paint(inside(area, rect(0.42 - half, y, 0.42 + half, y + 0.008 + n * 0.002)), accent)
    for lean in (-1, 1):
        canvas.paint(
            inside(area, stroke([(0.42 + lean * 0.015, 0.47), (0.42 + lean * 0.22, 0.85)], 0.012)),
            lighter(accent, 0.3),
        )


def keys(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    for n in range(9):
        x = 0.14 + n * 0.063
        canvas.paint(inside(area, rect(x, 0.46, x + 0.058, 0.9)), WHITE)
        if n % 7 not in (2, 6):
            canvas.paint(inside(area, rect(x + 0.04, 0.46, x + 0.078, 0.66)), BLACK)
    canvas.paint(inside(area, rect(0, 0.44, 1, 0.46)), accent)


def snow(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    for n in range(4):
        x = 0.1 + n * 0.16
        house = polygon(
            [
                (x, 0.9),
                (x, 0.6 + n % 2 * 0.05),
                (x + 0.08, 0.52 + n % 2 * 0.05),
                (x + 0.16, 0.6 + n % 2 * 0.05),
                (x + 0.16, 0.9),
            ]
        )
        canvas.paint(inside(area, house), darker(accent, 0.15 * n))
        canvas.paint(inside(area, rect(x + 0.06, 0.66, x + 0.1, 0.71)), (244, 208, 120))
    for n in range(60):
        canvas.paint(
            inside(area, disc(0.12 + n * 41 % 63 * 0.01, 0.22 + n * 29 % 60 * 0.01, 0.005)), WHITE
        )


def waves(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    boat = polygon([(0.36, 0.5), (0.54, 0.5), (0.5, 0.56), (0.4, 0.56)])
    canvas.paint(
        inside(area, union(boat, polygon([(0.44, 0.34), (0.44, 0.48), (0.54, 0.48)]))),
        lighter(accent, 0.6),
    )
    for n in range(6):
        line = stroke(wave(0.05, 0.85, 0.58 + n * 0.05, 0.012, 0.09 + n * 0.02), 0.012)
        canvas.paint(inside(area, line), lighter(accent, n * 0.08))


def rings(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    for n in range(6):
        canvas.paint(inside(area, ring(0.42, 0.56, 0.04 + n * 0.042, 0.018)), mix(accent, n))


def mix(colour: Colour, n: int) -> Colour:
    return lighter(colour, n * 0.1) if n % 2 else darker(colour, n * 0.06)


def horn(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    canvas.paint(
        inside(area, polygon([(0.5, 0.52), (0.66, 0.4), (0.66, 0.74), (0.5, 0.6)], 0.02)), accent
    )
    canvas.paint(inside(area, stroke([(0.18, 0.56), (0.52, 0.56)], 0.03)), accent)
    canvas.paint(inside(area, ring(0.36, 0.62, 0.085, 0.022)), accent)
    for n in range(3):
        canvas.paint(
            inside(area, rect(0.3 + n * 0.06, 0.46, 0.325 + n * 0.06, 0.6)), lighter(accent, 0.3)
        )


def blocks(canvas: Canvas, area: Mask, main: Colour, accent: Colour) -> None:
    for n in range(16):
        x, y = 0.14 + n % 4 * 0.14, 0.3 + n // 4 * 0.13
        shade = mix(accent, n % 5)
        shape = disc(x + 0.06, y + 0.06, 0.055) if n * 7 % 3 else rect(x, y, x + 0.12, y + 0.12)
        canvas.paint(inside(area, shape), shade)


# A word of the title decides; whatever has none of them gets one by its letters.
ART: dict[str, Art] = {
    "Lights": lights, "Lamp": lights, "Trains": rails, "Night": rails, "Rain": rain, "Piano": keys,
    "Snow": snow, "Ferry": waves, "Tide": waves, "Brass": horn, "Trumpet": horn, "Waltz": rings,
    "Hills": hills, "Valley": hills, "Sun": sun, "Summer": sun, "Echo": rings,
}  # fmt: skip
OTHERS: tuple[Art, ...] = (blocks, sun, hills, rings, waves)


def art_for(title: str) -> Art:
    named = [art for word, art in ART.items() if word in title]
    return named[0] if named else OTHERS[crc32(title.encode()) % len(OTHERS)]


def sleeve(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.52, 0.86, 0.8)
    vinyl(canvas, 0.62, 0.53, 0.3, accent)
    area = rect(0.1, 0.2, 0.74, 0.86, 0.006)
    canvas.paint(area, main)
    art_for(title)(canvas, area, main, accent)
    canvas.paint(inside(area, rect(0.1, 0.2, 0.116, 0.86)), BLACK, strength=0.15)
    canvas.write(title.upper(), 0.42, 0.25, 0.05, ink(accent, main), 0.58)


def cassette(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.76, 0.76)
    canvas.body(rect(0.14, 0.28, 0.86, 0.74, 0.03), main)
    canvas.paint(rect(0.2, 0.33, 0.8, 0.62, 0.02), lighter(accent, 0.6))
    canvas.paint(rect(0.2, 0.4, 0.8, 0.44), accent)
    canvas.write(title, 0.5, 0.37, 0.045, darker(main, 0.3), 0.54)
    canvas.paint(rect(0.3, 0.47, 0.7, 0.58, 0.05), darker(main, 0.3))
    for x in (0.37, 0.63):
        canvas.paint(disc(x, 0.525, 0.04), WHITE)
        canvas.paint(disc(x, 0.525, 0.02), darker(main, 0.3))
    canvas.paint(
        polygon([(0.28, 0.74), (0.32, 0.66), (0.68, 0.66), (0.72, 0.74)]), darker(main, 0.25)
    )


def brush(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.74, 0.76)
    canvas.body(rect(0.14, 0.4, 0.86, 0.56, 0.06), main)
    canvas.paint(rect(0.16, 0.53, 0.84, 0.58), accent)
    for n in range(44):
        x = 0.17 + n * 0.0153
        canvas.paint(rect(x, 0.57, x + 0.009, 0.72), darker(VINYL, n % 3 * 0.2))


def papers(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    """Inner sleeves, fanned out."""
    canvas.shadow(0.5, 0.86, 0.76)
    for n in range(5):
        lean = (4 - n) * 0.025
        sheet = polygon(
            [
                (0.16 + lean, 0.24 - lean),
                (0.74 + lean, 0.2 - lean * 0.5),
                (0.78 + lean, 0.8),
                (0.2 + lean, 0.84),
            ]
        )
        canvas.paint(sheet, darker(main, 0.04 * (4 - n) + 0.02))
    canvas.paint(disc(0.47, 0.53, 0.11), darker(main, 0.2))
    canvas.paint(disc(0.47, 0.53, 0.105), VINYL)
    canvas.paint(disc(0.47, 0.53, 0.06), accent)


def crate(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.85, 0.78)
    colours = (
        accent,
        (190, 150, 80),
        (84, 120, 130),
        (160, 80, 70),
        (220, 205, 170),
        (90, 80, 110),
    )
    for n in range(12):
        x = 0.2 + n * 0.05
        canvas.paint(rect(x, 0.24 + n % 3 * 0.02, x + 0.045, 0.6), colours[n % 6])
        canvas.paint(rect(x + 0.036, 0.24 + n % 3 * 0.02, x + 0.045, 0.6), BLACK, strength=0.2)
    for y in (0.46, 0.6, 0.74):
        board = rect(0.14, y, 0.86, y + 0.11)
        canvas.body(board, main)
        grain = stroke(wave(0.15, 0.85, y + 0.055, 0.01, 0.5), 0.004)
        canvas.paint(inside(board, grain), darker(main, 0.3))
    for x in (0.14, 0.8):
        canvas.paint(rect(x, 0.44, x + 0.06, 0.86), darker(main, 0.18))


def mat(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.8, 0.76)
    canvas.body(disc(0.5, 0.5, 0.35), main)
    for n in range(4):
        canvas.paint(ring(0.5, 0.5, 0.33 - n * 0.065, 0.014), accent)
    canvas.paint(disc(0.5, 0.5, 0.018), WHITE)


def tote(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.87, 0.56)
    canvas.paint(
        stroke(curve([(0.37, 0.38), (0.38, 0.14), (0.62, 0.14), (0.63, 0.38)]), 0.03),
        darker(main, 0.15),
    )
    canvas.body(polygon([(0.25, 0.36), (0.75, 0.36), (0.78, 0.86), (0.22, 0.86)], 0.02), main)
    vinyl(canvas, 0.5, 0.6, 0.15, accent)


def poster(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.paint(rect(0.22, 0.1, 0.8, 0.9), BLACK, strength=0.14)
    area = rect(0.2, 0.08, 0.78, 0.88)
    canvas.paint(area, main)
    art_for(title)(canvas, inside(area, rect(0.22, 0.2, 0.76, 0.86)), main, accent)
    canvas.write(title.upper(), 0.49, 0.15, 0.05, ink(accent, main), 0.5)


def bottle(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    """A spray to clean with, and its cloth."""
    canvas.shadow(0.5, 0.87, 0.6)
    canvas.body(
        polygon([(0.52, 0.78), (0.84, 0.72), (0.9, 0.84), (0.56, 0.88)], 0.03), lighter(accent, 0.4)
    )
    canvas.body(rect(0.3, 0.4, 0.56, 0.86, 0.05), main)
    canvas.body(rect(0.38, 0.27, 0.48, 0.42), darker(main, 0.3))
    canvas.paint(polygon([(0.3, 0.2), (0.52, 0.18), (0.52, 0.27), (0.34, 0.29)], 0.02), accent)
    canvas.paint(stroke([(0.36, 0.29), (0.33, 0.37)], 0.02), accent)
    canvas.body(rect(0.3, 0.54, 0.56, 0.74), WHITE)
    canvas.write(title, 0.43, 0.64, 0.045, darker(main, 0.3), 0.22)


def stand(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    """A record that is being shown on its stand."""
    canvas.shadow(0.5, 0.84, 0.6)
    canvas.paint(rect(0.24, 0.18, 0.76, 0.7), accent)
    canvas.paint(oval(0.33, 0.27, 0.67, 0.61), lighter(accent, 0.35))
    canvas.paint(oval(0.42, 0.36, 0.58, 0.52), darker(accent, 0.3))
    canvas.body(rect(0.2, 0.68, 0.8, 0.74, 0.01), main)
    canvas.body(polygon([(0.26, 0.74), (0.32, 0.74), (0.28, 0.84), (0.2, 0.84)]), main)
    canvas.body(polygon([(0.68, 0.74), (0.74, 0.74), (0.8, 0.84), (0.72, 0.84)]), main)
