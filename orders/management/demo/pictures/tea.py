"""Tea and what belongs to it."""

from orders.management.demo.pictures.canvas import (
    WHITE,
    Canvas,
    Colour,
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
    turned,
    union,
    without,
)

PAPER: Colour = (246, 239, 224)
STEEL: Colour = (170, 178, 184)
WOOD: Colour = (168, 122, 78)


def leaf(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    """Two leaves and a bud."""
    for lean in (-1, 1):
        tip = (x + lean * size * 1.3, y - size * 0.75)
        edge = curve([(x, y), (x + lean * size * 0.35, y - size * 0.75), tip])
        back = curve([tip, (x + lean * size * 0.95, y - size * 0.1), (x, y)])
        canvas.paint(polygon(edge + back), colour)
    bud = [(x, y), (x - size * 0.24, y - size * 0.7), (x, y - size * 1.4)]
    other = [(x, y - size * 1.4), (x + size * 0.24, y - size * 0.7), (x, y)]
    canvas.paint(polygon(curve(bud) + curve(other)), colour)


def tin(canvas: Canvas, main: Colour, label: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.85, 0.5)
    canvas.body(turned(0.5, [(0.2, 0.3), (0.2, 0.5), (0.2, 0.84)]), main)
    canvas.body(turned(0.5, [(0.21, 0.2), (0.215, 0.25), (0.215, 0.31)]), darker(main, 0.2))
    canvas.paint(oval(0.29, 0.17, 0.71, 0.23), lighter(main, 0.25))
    canvas.body(rect(0.3, 0.42, 0.7, 0.72), label)
    canvas.paint(rect(0.3, 0.43, 0.7, 0.437), main)
    canvas.paint(rect(0.3, 0.703, 0.7, 0.71), main)
    leaf(canvas, 0.5, 0.57, 0.055, main)
    canvas.write(title, 0.5, 0.64, 0.06, ink(main, label), 0.36)


def pouch(canvas: Canvas, main: Colour, label: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.87, 0.56)
    sack = polygon([(0.3, 0.2), (0.7, 0.2), (0.75, 0.86), (0.25, 0.86)], 0.02)
    canvas.body(sack, main)
    canvas.paint(inside(sack, rect(0, 0.2, 1, 0.27)), darker(main, 0.18))
    canvas.paint(inside(sack, rect(0, 0.285, 1, 0.29)), darker(main, 0.3))
    canvas.body(rect(0.35, 0.4, 0.65, 0.74, 0.02), label)
    leaf(canvas, 0.5, 0.57, 0.065, main)
    canvas.write(title, 0.5, 0.66, 0.055, ink(main, label), 0.27)


def box(canvas: Canvas, main: Colour, label: Colour, title: str) -> None:
    canvas.shadow(0.52, 0.84, 0.68)
    canvas.paint(polygon([(0.66, 0.3), (0.8, 0.24), (0.8, 0.76), (0.66, 0.84)]), darker(main, 0.3))
    canvas.paint(polygon([(0.2, 0.3), (0.34, 0.24), (0.8, 0.24), (0.66, 0.3)]), lighter(main, 0.3))
    canvas.paint(rect(0.2, 0.3, 0.66, 0.84), main)
    canvas.paint(disc(0.43, 0.57, 0.17), label)
    canvas.paint(ring(0.43, 0.57, 0.155, 0.006), main)
    leaf(canvas, 0.43, 0.57, 0.055, main)
    canvas.write(title, 0.43, 0.63, 0.055, ink(main, label), 0.28)


def jar(canvas: Canvas, main: Colour, lid: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.85, 0.48)
    glass = turned(0.5, [(0.15, 0.3), (0.2, 0.38), (0.2, 0.6), (0.19, 0.84)])
    canvas.body(glass, main)
    canvas.paint(inside(glass, rect(0.33, 0.36, 0.37, 0.82, 0.02)), WHITE, strength=0.35)
    canvas.body(rect(0.34, 0.19, 0.66, 0.31, 0.02), lid)
    canvas.paint(rect(0.34, 0.285, 0.66, 0.292), darker(lid, 0.25))
    canvas.body(rect(0.32, 0.48, 0.68, 0.7, 0.01), PAPER)
    canvas.write(title, 0.5, 0.59, 0.06, darker(main, 0.55), 0.3)


def steam(canvas: Canvas, x: float, y: float) -> None:
    for offset in (-0.07, 0, 0.07):
        line = curve(
            [
                (x + offset, y),
                (x + offset + 0.025, y - 0.05),
                (x + offset, y - 0.1),
                (x + offset + 0.025, y - 0.15),
            ]
        )
        canvas.paint(stroke(line, 0.012), WHITE, strength=0.75)


def cup(canvas: Canvas, main: Colour, tea: Colour, title: str, x: float = 0.5) -> None:
    canvas.shadow(x, 0.8, 0.6)
    canvas.body(oval(x - 0.29, 0.735, x + 0.29, 0.82), lighter(main, 0.15))
    canvas.paint(ring(x + 0.22, 0.56, 0.085, 0.028), main)
    canvas.body(turned(x, [(0.22, 0.42), (0.21, 0.55), (0.15, 0.7), (0.1, 0.765)]), main)
    canvas.paint(oval(x - 0.22, 0.38, x + 0.22, 0.46), lighter(main, 0.45))
    canvas.paint(oval(x - 0.2, 0.39, x + 0.2, 0.455), tea)
    steam(canvas, x - 0.01, 0.36)


def cups(canvas: Canvas, main: Colour, tea: Colour, title: str) -> None:
    """Two cups at a table: a tasting."""
    for x, y in ((0.34, 0.0), (0.68, 0.1)):
        canvas.shadow(x, 0.72 + y, 0.4)
        canvas.body(turned(x, [(0.15, 0.46 + y), (0.14, 0.56 + y), (0.08, 0.7 + y)]), main)
        canvas.paint(oval(x - 0.15, 0.43 + y, x + 0.15, 0.49 + y), lighter(main, 0.45))
        canvas.paint(oval(x - 0.135, 0.438 + y, x + 0.135, 0.485 + y), tea)
        steam(canvas, x, 0.41 + y)


def teapot(canvas: Canvas, main: Colour, knob: Colour, title: str) -> None:
    canvas.shadow(0.48, 0.8, 0.62)
    canvas.paint(ring(0.23, 0.56, 0.12, 0.035), darker(main, 0.12))
    spout = curve([(0.62, 0.68), (0.76, 0.6), (0.8, 0.46), (0.88, 0.42)])
    canvas.body(stroke(spout, 0.06), main)
    canvas.body(turned(0.46, [(0.13, 0.42), (0.25, 0.5), (0.27, 0.62), (0.16, 0.78)]), main)
    canvas.body(oval(0.31, 0.37, 0.61, 0.46), darker(main, 0.12))
    canvas.paint(disc(0.46, 0.355, 0.035), knob)


def kettle(canvas: Canvas, main: Colour, knob: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.84, 0.66)
    canvas.paint(without(ring(0.5, 0.42, 0.23, 0.035), rect(0, 0.44, 1, 1)), knob)
    canvas.body(polygon([(0.66, 0.6), (0.86, 0.46), (0.9, 0.49), (0.74, 0.74)], 0.02), main)
    canvas.body(turned(0.5, [(0.14, 0.42), (0.27, 0.52), (0.3, 0.68), (0.27, 0.83)]), main)
    canvas.body(oval(0.35, 0.385, 0.65, 0.46), darker(main, 0.15))
    canvas.paint(disc(0.5, 0.375, 0.03), knob)


def strainer(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.42, 0.76, 0.44)
    bowl = turned(0.4, [(0.2, 0.46), (0.19, 0.56), (0.12, 0.68), (0.05, 0.73)])
    canvas.body(bowl, main)
    for row in range(5):
        for column in range(9):
            hole = disc(0.24 + column * 0.04 + row % 2 * 0.02, 0.52 + row * 0.042, 0.008)
            canvas.paint(inside(bowl, hole), darker(main, 0.5))
    canvas.paint(oval(0.18, 0.42, 0.62, 0.5), darker(main, 0.2))
    canvas.paint(oval(0.2, 0.43, 0.6, 0.49), lighter(main, 0.4))
    canvas.paint(stroke([(0.6, 0.46), (0.9, 0.36)], 0.03), accent)


def spoon(canvas: Canvas, main: Colour, tea: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.72, 0.66)
    canvas.body(stroke([(0.42, 0.56), (0.86, 0.3)], 0.032), main)
    canvas.body(oval(0.16, 0.48, 0.48, 0.7), main)
    canvas.paint(oval(0.19, 0.5, 0.45, 0.66), darker(main, 0.25))
    for n in range(26):
        x, y = 0.23 + n * 37 % 19 * 0.01, 0.53 + n * 23 % 11 * 0.01
        canvas.paint(stroke([(x, y), (x + 0.02, y - 0.012 + n % 3 * 0.012)], 0.011), tea)


def whisk(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.86, 0.4)
    canvas.body(rect(0.43, 0.16, 0.57, 0.46, 0.02), main)
    canvas.paint(rect(0.42, 0.42, 0.58, 0.47), accent)
    for n in range(13):
        end = 0.3 + n * 0.4 / 12
        line = curve([(0.44 + n * 0.01, 0.46), (end, 0.66), (0.36 + n * 0.28 / 12, 0.85)])
        canvas.paint(stroke(line, 0.012), darker(main, 0.06 * (n % 3)))


def sugar(canvas: Canvas, main: Colour, crystal: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.82, 0.6)
    for n in range(40):
        x = 0.29 + n * 29 % 41 * 0.0102
        y = 0.5 - (0.16 - abs(x - 0.5)) * (n % 5) * 0.2
        size = 0.03 + n % 3 * 0.008
        corners = [
            (x, y - size),
            (x + size, y),
            (x + size * 0.4, y + size),
            (x - size, y + size * 0.4),
        ]
        canvas.paint(polygon(corners), lighter(crystal, n % 4 * 0.2))
    canvas.body(turned(0.5, [(0.27, 0.5), (0.26, 0.6), (0.18, 0.76), (0.12, 0.81)]), main)


def biscuits(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.83, 0.62)
    for n in range(6):
        x, y = 0.5 + (n % 2 - 0.5) * 0.03, 0.79 - n * 0.085
        canvas.body(rect(x - 0.23, y - 0.07, x + 0.23, y + 0.02, 0.04), lighter(main, n * 0.04))
        canvas.paint(rect(x - 0.22, y - 0.035, x + 0.22, y - 0.015, 0.01), accent)
    top = oval(0.285, 0.245, 0.745, 0.355)
    canvas.paint(top, lighter(main, 0.3))
    for n in range(9):
        canvas.paint(disc(0.36 + n * 31 % 30 * 0.01, 0.275 + n * 17 % 6 * 0.01, 0.009), accent)


def towel(canvas: Canvas, main: Colour, accent: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.86, 0.62)
    cloth = polygon([(0.25, 0.18), (0.75, 0.18), (0.77, 0.84), (0.23, 0.84)], 0.02)
    canvas.body(cloth, main)
    for y in (0.64, 0.69, 0.74):
        canvas.paint(inside(cloth, rect(0, y, 1, y + 0.022)), accent)
    for x in (0.32, 0.5, 0.68):
        leaf(canvas, x, 0.46, 0.06, accent)
    fold = union(rect(0.495, 0.17, 0.5, 0.85), rect(0.62, 0.17, 0.622, 0.85))
    canvas.paint(inside(cloth, fold), darker(main, 0.15))
