"""Pictures of the demo's goods: drawn here, so that they are nobody's and need no network.

`picture("tin brick cream", "Assam")` is a WebP: a kind, its two colours, and the title, which stands
on labels and decides details. The same words always give the same picture.
"""

from collections.abc import Callable, Mapping
from zlib import crc32

from orders.management.demo.pictures import clay, music, tea, wool
from orders.management.demo.pictures.canvas import Canvas, Colour

Draw = Callable[[Canvas, Colour, Colour, str], None]

KINDS: Mapping[str, Draw] = {
    draw.__name__: draw
    for draw in (
        *(tea.tin, tea.pouch, tea.box, tea.jar, tea.cup, tea.cups, tea.teapot, tea.kettle),
        *(tea.strainer, tea.spoon, tea.whisk, tea.sugar, tea.biscuits, tea.towel),
        *(wool.sweater, wool.cardigan, wool.vest, wool.beanie, wool.mittens, wool.socks),
        *(wool.scarf, wool.snood, wool.legwarmers, wool.headband, wool.folded, wool.cushion),
        *(wool.slippers, wool.shawl, wool.yarn),
        *(clay.bowl, clay.deep_bowl, clay.tumbler, clay.small_cup, clay.mug, clay.flask, clay.vase),
        *(clay.pitcher, clay.side_handled, clay.plate, clay.square_plate, clay.lidded),
        *(clay.incense, clay.rests, clay.planter, clay.candle),
        *(music.sleeve, music.cassette, music.brush, music.papers, music.crate, music.mat),
        *(music.tote, music.poster, music.bottle, music.stand),
    )
} | {"clay_teapot": clay.teapot}

COLOURS = {
    name: tuple(bytes.fromhex(code))
    for name, code in {
        "ash": "c3bdb0", "black": "26262b", "brick": "a4452c", "celadon": "9dbba4", "cobalt": "2d5ca6",
        "copper": "b4713d", "coral": "dd7a60", "cream": "f1e6cd", "forest": "2f5443", "gold": "c79a3b",
        "grey": "8d949a", "indigo": "34426e", "iron": "5f544b", "lilac": "a493bd", "mint": "a9cfb8",
        "moss": "6b7f4a", "mustard": "d3a03a", "navy": "24364f", "plum": "6d3b55", "rose": "c9808a",
        "rust": "b5592c", "sand": "d9c3a0", "sky": "8fb8d0", "steel": "a7b0b5", "teal": "2f7f86",
        "terracotta": "c0693f", "white": "f4f1ea", "wood": "a57a4f",
    }.items()
}  # fmt: skip
GROUNDS: tuple[Colour, ...] = (
    (235, 228, 214),
    (221, 230, 228),
    (238, 223, 214),
    (224, 226, 236),
    (228, 234, 218),
)


def picture(words: str, title: str) -> bytes:
    """The picture of these words, for this title. KeyError for a kind or colour that is not known."""
    kind, main, accent = words.split()
    canvas = Canvas(GROUNDS[crc32(title.encode()) % len(GROUNDS)])
    KINDS[kind](canvas, _colour(main), _colour(accent), title)
    return canvas.webp()


def _colour(name: str) -> Colour:
    red, green, blue = COLOURS[name]
    return red, green, blue
