"""Pottery: what comes off the wheel, glazed in two colours."""

from orders.management.demo.pictures.canvas import (
    WHITE,
    Canvas,
    Colour,
    Mask,
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
    turned,
    union,
    wave,
)


def glaze(canvas: Canvas, shape: Mask, clay: Colour, colour: Colour, y: float) -> None:
    """Clay below, glaze above, which runs a little where they meet."""
    canvas.body(shape, clay)
    edge = wave(0, 1, y, 0.012, 0.17)
    over = inside(shape, polygon([(0, 0), *edge, (1, 0)]))
    canvas.body(over, colour)
    for n in range(24):
        x, spot_y = 0.1 + n * 37 % 80 * 0.01, y - n * 53 % 50 * 0.01
        canvas.paint(inside(over, disc(x, spot_y, 0.004)), darker(colour, 0.35))


def rim(canvas: Canvas, x: float, y: float, half: float, colour: Colour) -> None:
    """Looking into it a little."""
    canvas.paint(oval(x - half, y - half * 0.17, x + half, y + half * 0.17), lighter(colour, 0.3))
    inner = half * 0.93
    canvas.paint(
        oval(x - inner, y - inner * 0.14, x + inner, y + half * 0.17), darker(colour, 0.35)
    )


def bowl(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.78, 0.5)
    shape = turned(0.5, [(0.31, 0.42), (0.29, 0.54), (0.19, 0.68), (0.11, 0.72), (0.12, 0.77)])
    glaze(canvas, shape, clay, main, 0.66)
    rim(canvas, 0.5, 0.42, 0.31, main)


def deep_bowl(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.82, 0.5)
    shape = turned(0.5, [(0.3, 0.4), (0.31, 0.52), (0.26, 0.68), (0.13, 0.76), (0.14, 0.81)])
    glaze(canvas, shape, clay, main, 0.7)
    rim(canvas, 0.5, 0.4, 0.3, main)
    for lean in (0, 0.06):
        canvas.paint(stroke([(0.3 + lean, 0.44), (0.76 + lean, 0.16)], 0.016), (122, 74, 48))


def tumbler(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.83, 0.4)
    glaze(
        canvas,
        turned(0.5, [(0.18, 0.32), (0.185, 0.5), (0.17, 0.7), (0.15, 0.82)]),
        clay,
        main,
        0.68,
    )
    rim(canvas, 0.5, 0.32, 0.18, main)


def small_cup(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    for x, y in ((0.36, 0.0), (0.64, 0.06)):
        canvas.shadow(x, 0.74 + y, 0.3)
        shape = turned(x, [(0.13, 0.52 + y), (0.12, 0.62 + y), (0.07, 0.7 + y), (0.075, 0.73 + y)])
        glaze(canvas, shape, clay, main, 0.67 + y)
        rim(canvas, x, 0.52 + y, 0.13, main)


def mug(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.48, 0.81, 0.5)
    canvas.paint(ring(0.68, 0.56, 0.12, 0.042), darker(main, 0.1))
    glaze(
        canvas, turned(0.46, [(0.2, 0.36), (0.2, 0.55), (0.2, 0.7), (0.18, 0.8)]), clay, main, 0.68
    )
    rim(canvas, 0.46, 0.36, 0.2, main)


def flask(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.85, 0.42)
    shape = turned(
        0.5, [(0.085, 0.17), (0.05, 0.26), (0.06, 0.36), (0.17, 0.54), (0.19, 0.7), (0.13, 0.84)]
    )
    glaze(canvas, shape, clay, main, 0.7)
    rim(canvas, 0.5, 0.17, 0.085, main)


def vase(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.87, 0.46)
    for lean, top in ((-0.13, 0.1), (0.02, 0.04), (0.16, 0.12)):
        canvas.paint(
            stroke(curve([(0.5, 0.4), (0.5 + lean / 2, 0.26), (0.5 + lean, top)]), 0.01),
            (94, 112, 72),
        )
        canvas.paint(disc(0.5 + lean, top, 0.032), (226, 206, 170))
        canvas.paint(disc(0.5 + lean, top, 0.015), (196, 140, 66))
    shape = turned(
        0.5, [(0.1, 0.36), (0.07, 0.42), (0.18, 0.54), (0.22, 0.66), (0.17, 0.8), (0.13, 0.86)]
    )
    glaze(canvas, shape, clay, main, 0.73)
    rim(canvas, 0.5, 0.36, 0.1, main)


def pitcher(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.48, 0.86, 0.5)
    handle = curve([(0.6, 0.34), (0.8, 0.36), (0.8, 0.58), (0.63, 0.66)])
    canvas.paint(stroke(handle, 0.042), darker(main, 0.1))
    spout = polygon([(0.32, 0.27), (0.22, 0.24), (0.33, 0.4)], 0.02)
    body = turned(0.46, [(0.14, 0.27), (0.13, 0.38), (0.2, 0.56), (0.21, 0.7), (0.16, 0.85)])
    glaze(canvas, union(spout, body), clay, main, 0.7)
    rim(canvas, 0.46, 0.27, 0.14, main)


def side_handled(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    """A kyusu: its handle sticks out at the side."""
    canvas.shadow(0.46, 0.79, 0.56)
    canvas.body(polygon([(0.62, 0.56), (0.88, 0.44), (0.91, 0.5), (0.64, 0.66)], 0.02), clay)
    canvas.body(polygon([(0.28, 0.6), (0.13, 0.46), (0.17, 0.43), (0.33, 0.5)], 0.02), main)
    shape = turned(0.45, [(0.13, 0.44), (0.22, 0.5), (0.24, 0.62), (0.17, 0.76)])
    glaze(canvas, shape, clay, main, 0.67)
    canvas.body(oval(0.31, 0.4, 0.59, 0.48), darker(main, 0.12))
    canvas.paint(disc(0.45, 0.39, 0.03), clay)


def teapot(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.82, 0.6)
    canvas.paint(
        stroke(curve([(0.3, 0.44), (0.34, 0.22), (0.64, 0.22), (0.68, 0.44)]), 0.03), (128, 92, 56)
    )
    canvas.body(stroke(curve([(0.68, 0.66), (0.78, 0.58), (0.86, 0.45)]), 0.055), main)
    glaze(
        canvas,
        turned(0.49, [(0.16, 0.44), (0.24, 0.52), (0.26, 0.64), (0.18, 0.81)]),
        clay,
        main,
        0.7,
    )
    canvas.body(oval(0.33, 0.4, 0.65, 0.48), darker(main, 0.12))
    canvas.paint(disc(0.49, 0.39, 0.028), clay)


def plate(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.74, 0.84)
    canvas.paint(oval(0.12, 0.36, 0.88, 0.78), clay)
    canvas.body(oval(0.12, 0.33, 0.88, 0.75), main)
    canvas.paint(oval(0.24, 0.4, 0.76, 0.68), darker(main, 0.1))
    canvas.paint(oval(0.25, 0.41, 0.75, 0.675), lighter(main, 0.12))
    for n in range(16):
        x, y = 0.3 + n * 37 % 40 * 0.01, 0.45 + n * 23 % 18 * 0.01
        canvas.paint(disc(x, y, 0.005), darker(main, 0.3))


def square_plate(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.75, 0.84)
    canvas.paint(polygon([(0.26, 0.38), (0.78, 0.38), (0.9, 0.73), (0.12, 0.73)], 0.05), clay)
    canvas.body(polygon([(0.26, 0.35), (0.78, 0.35), (0.9, 0.7), (0.12, 0.7)], 0.05), main)
    canvas.paint(
        polygon([(0.31, 0.4), (0.73, 0.4), (0.81, 0.65), (0.22, 0.65)], 0.03), lighter(main, 0.14)
    )
    for n in range(3):
        line = curve([(0.34 + n * 0.05, 0.6), (0.44 + n * 0.06, 0.5), (0.6 + n * 0.03, 0.44)])
        canvas.paint(stroke(line, 0.008), clay)


def lidded(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.85, 0.5)
    glaze(
        canvas, turned(0.5, [(0.17, 0.4), (0.22, 0.5), (0.22, 0.68), (0.16, 0.84)]), clay, main, 0.7
    )
    canvas.body(oval(0.31, 0.33, 0.69, 0.44), darker(main, 0.12))
    canvas.body(turned(0.5, [(0.02, 0.27), (0.14, 0.33), (0.18, 0.37)]), main)
    canvas.paint(disc(0.5, 0.26, 0.032), clay)


def incense(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.75, 0.66)
    glaze(canvas, turned(0.5, [(0.26, 0.64), (0.27, 0.67), (0.22, 0.74)]), clay, main, 0.69)
    canvas.paint(oval(0.24, 0.6, 0.76, 0.68), lighter(main, 0.2))
    canvas.paint(stroke([(0.46, 0.64), (0.62, 0.24)], 0.011), (92, 64, 48))
    canvas.paint(disc(0.62, 0.24, 0.012), (214, 92, 48))
    canvas.paint(
        stroke(curve([(0.62, 0.22), (0.57, 0.17), (0.63, 0.12), (0.59, 0.06)]), 0.012),
        WHITE,
        strength=0.75,
    )


def rests(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    """Chopsticks laid on their rest."""
    canvas.shadow(0.5, 0.72, 0.7)
    canvas.body(
        polygon([(0.28, 0.62), (0.36, 0.56), (0.44, 0.62), (0.5, 0.7), (0.22, 0.7)], 0.03), main
    )
    canvas.body(
        polygon([(0.6, 0.66), (0.68, 0.6), (0.76, 0.66), (0.82, 0.74), (0.54, 0.74)], 0.03),
        lighter(main, 0.15),
    )
    for lean in (0, 0.05):
        canvas.paint(stroke([(0.12, 0.6 - lean), (0.92, 0.38 + lean * 0.6)], 0.018), clay)


def planter(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.87, 0.46)
    for lean, top in ((-0.2, 0.28), (-0.1, 0.12), (0.0, 0.08), (0.11, 0.14), (0.2, 0.3)):
        edge = curve([(0.5, 0.55), (0.5 + lean * 0.4 - 0.03, 0.4), (0.5 + lean, top)])
        back = curve([(0.5 + lean, top), (0.5 + lean * 0.6 + 0.05, 0.42), (0.52, 0.55)])
        canvas.paint(polygon(edge + back), (86, 118, 78) if top > 0.13 else (108, 142, 92))
    glaze(canvas, turned(0.5, [(0.22, 0.52), (0.21, 0.66), (0.16, 0.86)]), clay, main, 0.74)
    canvas.paint(oval(0.28, 0.49, 0.72, 0.56), darker(main, 0.25))
    canvas.paint(oval(0.3, 0.5, 0.7, 0.555), (84, 62, 48))
    canvas.paint(stroke([(0.5, 0.53), (0.49, 0.4)], 0.02), (86, 118, 78))


def candle(canvas: Canvas, main: Colour, clay: Colour, title: str) -> None:
    canvas.shadow(0.5, 0.83, 0.52)
    canvas.body(rect(0.455, 0.3, 0.545, 0.66), (243, 232, 206))
    canvas.paint(
        turned(0.5, [(0.002, 0.15), (0.024, 0.22), (0.026, 0.25), (0.01, 0.28)]), (240, 176, 64)
    )
    canvas.paint(stroke([(0.5, 0.25), (0.5, 0.3)], 0.008), (60, 48, 40))
    glaze(
        canvas,
        turned(0.5, [(0.08, 0.6), (0.08, 0.68), (0.22, 0.76), (0.23, 0.82)]),
        clay,
        main,
        0.77,
    )
