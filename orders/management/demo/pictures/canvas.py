"""A sheet to draw on in parts of its side, painted by masks, so that shapes can be shaded and filled.

Knows nothing of Django: pictures may be drawn in processes of their own.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFont

SIDE = 480
SCALE = 2  # drawn larger and made smaller: that smooths every edge
FULL = SIDE * SCALE
QUALITY = 82

Colour = tuple[int, int, int]
Point = tuple[float, float]
Mask = Image.Image

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """The colour with that share of the other."""
    red, green, blue = (
        round(one + (two - one) * share) for one, two in zip(colour, other, strict=True)
    )
    return red, green, blue


def darker(colour: Colour, share: float = 0.25) -> Colour:
    return mixed(colour, BLACK, share)


def ink(colour: Colour, paper: Colour) -> Colour:
    """That colour so dark, or so light, that it can be read on the paper."""
    return darker(colour, 0.75) if sum(paper) > 3 * 115 else lighter(colour, 0.8)


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    return mixed(colour, WHITE, share)


class Canvas:
    """Places and lengths are parts of the side, from the top left."""

    def __init__(self, ground: Colour) -> None:
        self.image = Image.new("RGB", (FULL, FULL), ground)
        table = Image.new("RGB", (FULL, FULL // 3), darker(ground, 0.06))
        self.image.paste(table, (0, FULL - FULL // 3))

    def paint(self, mask: Mask, colour: Colour, *, strength: float = 1.0) -> None:
        """Fills the mask."""
        found = mask.getbbox()
        if found is None:
            return
        part = mask.crop(found)  # most things are small, and a sheet is large
        if strength < 1:
            part = part.point([round(value * strength) for value in range(256)])
        self.image.paste(colour, found, part)

    def body(self, mask: Mask, colour: Colour) -> None:
        """Fills a solid thing: light from the left, its right side in the shade."""
        self.paint(mask, colour)
        self.paint(inside(slope(), mask), BLACK, strength=0.3)

    def shadow(self, x: float, y: float, width: float) -> None:
        """What stands here darkens the table."""
        height = width * 0.14
        self.paint(
            oval(x - width / 2, y - height / 2, x + width / 2, y + height / 2), BLACK, strength=0.16
        )

    def write(
        self, text: str, x: float, y: float, size: float, colour: Colour, width: float = 1
    ) -> None:
        """Text in the middle of a place, made smaller until it fits the width."""
        pen = ImageDraw.Draw(self.image)
        points = size * FULL
        while points > 14 and pen.textlength(text, font=font(round(points))) > width * FULL:
            points *= 0.92
        pen.text((x * FULL, y * FULL), text, font=font(round(points)), fill=colour, anchor="mm")

    def webp(self) -> bytes:
        """The finished picture."""
        out = BytesIO()
        self.image.reduce(SCALE).save(out, "WEBP", quality=QUALITY, method=3)
        return out.getvalue()


@lru_cache(maxsize=64)
def font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points)


@lru_cache(maxsize=1)
def slope() -> Mask:
    """Nothing on the left half, more and more towards the right."""
    row = Image.new("L", (FULL, 1))
    row.putdata([max(0, round(255 * (2 * x / FULL - 0.85))) for x in range(FULL)])
    return row.resize((FULL, FULL))


def blank() -> tuple[Mask, ImageDraw.ImageDraw]:
    mask = Image.new("L", (FULL, FULL))
    return mask, ImageDraw.Draw(mask)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * FULL, y * FULL) for x, y in points]


def rect(x0: float, y0: float, x1: float, y1: float, radius: float = 0) -> Mask:
    mask, pen = blank()
    corners = (x0 * FULL, y0 * FULL, x1 * FULL, y1 * FULL)
    pen.rounded_rectangle(corners, radius * FULL, fill=255)
    return mask


def oval(x0: float, y0: float, x1: float, y1: float) -> Mask:
    mask, pen = blank()
    pen.ellipse((x0 * FULL, y0 * FULL, x1 * FULL, y1 * FULL), fill=255)
    return mask


def disc(x: float, y: float, radius: float) -> Mask:
    return oval(x - radius, y - radius, x + radius, y + radius)


def ring(x: float, y: float, radius: float, width: float) -> Mask:
    mask, pen = blank()
    corners = [(x - radius) * FULL, (y - radius) * FULL, (x + radius) * FULL, (y + radius) * FULL]
    pen.ellipse(corners, outline=255, width=round(width * FULL))
    return mask


def polygon(points: Sequence[Point], softness: float = 0.0) -> Mask:
    """A polygon; `softness` rounds its corners outwards."""
    mask, pen = blank()
    scaled = _scaled(points)
    pen.polygon(scaled, fill=255)
    if softness:
        radius = softness * FULL / 2
        pen.line([*scaled, scaled[0]], fill=255, width=round(softness * FULL), joint="curve")
        for x, y in scaled:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def stroke(points: Sequence[Point], width: float) -> Mask:
    """A line with round ends."""
    mask, pen = blank()
    scaled = _scaled(points)
    pen.line(scaled, fill=255, width=round(width * FULL), joint="curve")
    radius = width * FULL / 2
    for x, y in (scaled[0], scaled[-1]):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def curve(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """A smooth line through the points (Catmull and Rom)."""
    ends = [points[0], *points, points[-1]]
    line: list[Point] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(steps):
            t = step / steps
            line.append((_between(a[0], b[0], c[0], d[0], t), _between(a[1], b[1], c[1], d[1], t)))
    return [*line, points[-1]]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )


def turned(x: float, profile: Sequence[Point], inset: float = 1.0) -> Mask:
    """What a potter's wheel makes: (half width, y) from top to bottom, with a round foot."""
    side = curve(profile)
    right = [(x + half * inset, y) for half, y in side]
    left = [(x - half * inset, y) for half, y in reversed(side)]
    mask = polygon(right + left)
    half, y = profile[-1]
    return union(mask, oval(x - half * inset, y - half * 0.14, x + half * inset, y + half * 0.14))


def union(*masks: Mask) -> Mask:
    whole = masks[0]
    for mask in masks[1:]:
        whole = ImageChops.lighter(whole, mask)
    return whole


def inside(mask: Mask, pattern: Mask) -> Mask:
    """The part of the pattern that lies in the mask."""
    common, _pen = blank()
    if found := pattern.getbbox():
        common.paste(ImageChops.multiply(mask.crop(found), pattern.crop(found)), found)
    return common


def without(mask: Mask, hole: Mask) -> Mask:
    return ImageChops.subtract(mask, hole)


def wave(x0: float, x1: float, y: float, height: float, length: float) -> list[Point]:
    """A wavy line from left to right."""
    count = 60
    return [
        (
            x0 + (x1 - x0) * n / count,
            y + height * math.sin(2 * math.pi * (x1 - x0) * n / count / length),
        )
        for n in range(count + 1)
    ]
