"""What a scene shows, in words: the grammar that the base can follow."""

from __future__ import annotations

from dataclasses import dataclass

PATTERN_PHRASES = {
    "stripes": "on a striped background",
    "checkerboard": "on a checkerboard",
    "grass": "on the grass",
    "sand": "on the beach",
    "snow": "in the snow",
    "sky": "in the sky",
    "wood": "on a wooden floor",
    "night": "in the city at night",
}
NUMBERS = {2: "two", 3: "three"}
HAT_PHRASE = "wearing a red hat"
IRREGULAR_PLURALS = {
    "fish": "fish",
    "sheep": "sheep",
    "glasses": "glasses",
    "sunglasses": "sunglasses",
    "leaf": "leaves",
    "wolf": "wolves",
}


@dataclass(frozen=True)
class Thing:
    """One kind of object in a scene."""

    concept: str
    tint: str | None = None
    size: str | None = None
    """small or large; unset is in between."""
    count: int = 1
    hat: bool = False
    """Wearing a red hat."""

    def words(self) -> str:
        """`a small red car`, `two apples`, `a dog wearing a red hat`."""
        adjectives = [word for word in (self.size, self.tint) if word]
        if self.count > 1:
            return " ".join([NUMBERS[self.count], *adjectives, plural(self.concept)])
        noun = " ".join([*adjectives, self.concept])
        said = noun if self.concept in ("glasses", "sunglasses") else f"{article(noun)} {noun}"
        return f"{said} {HAT_PHRASE}" if self.hat else said


def article(noun: str) -> str:
    """`a` or `an`, by the first letter."""
    return "an" if noun[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    """The plural of our concepts' names."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("x", "s", "sh", "ch")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("rry") else f"{noun}s"


def background_words(background: str) -> str:
    """`on a red background`, `in the snow`."""
    return PATTERN_PHRASES.get(background) or f"on {article(background)} {background} background"


def caption(
    things: tuple[Thing, ...], background: str | None, side: str | None = None, opening: str = ""
) -> str:
    """`a small dog on the left on a blue background`; parts left unsaid are left out."""
    parts = [opening, " and ".join(thing.words() for thing in things)]
    if side:
        parts.append(f"on the {side}" if side in ("left", "right") else f"at the {side}")
    if background:
        parts.append(background_words(background))
    return " ".join(part for part in parts if part)
