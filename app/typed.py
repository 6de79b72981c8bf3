"""What a person types about a subject, checked: names, words, captions, colours. No torch."""

from __future__ import annotations

import re
import unicodedata

from PIL import ImageColor

from app.captions import CANDIDATES
from trainer.errors import ConfigError

MAX_NAME, MAX_WORD, MAX_CAPTION = 80, 40, 1000


def line(what: str, text: str, longest: int) -> str:
    """`text` as one line of printable characters."""
    shown = " ".join(_text(what, text).split())
    if not shown or len(shown) > longest or not shown.isprintable():
        raise ConfigError(
            f"{what} is {shown[:40]!r}; it needs 1 to {longest} characters that can be printed."
        )
    return shown


def _text(what: str, given: object) -> str:
    """A client of the page may send anything where a text belongs."""
    if not isinstance(given, str):
        raise ConfigError(f"{what} needs to be text; a {type(given).__name__} was sent.")
    return given


def name(text: str) -> str:
    """What a subject is called on the page."""
    return line("The name", text, MAX_NAME)


def class_token(text: str) -> str:
    return line("The class", text, MAX_WORD)


def caption(text: str) -> str:
    return line("The caption", text, MAX_CAPTION)


def unique_token(text: str) -> str:
    if not re.fullmatch(rf"\w{{1,{MAX_WORD}}}", _text("The unique token", text)):
        raise ConfigError(
            f"The unique token is {text[:40]!r}; it needs to be one word of at most {MAX_WORD} "
            f"letters and digits, such as {CANDIDATES[0]}."
        )
    return text


def color(text: str) -> str:
    """Any way to write a colour, as #rrggbb."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(_text("The colour", text)[:40])
    except ValueError as error:
        raise ConfigError(
            f"The colour is {text[:40]!r}; write it as #rrggbb or a name such as white."
        ) from error
    return f"#{red:02x}{green:02x}{blue:02x}"


def file_name(text: str) -> str:
    """A client's file name, fit to be shown: its last part, printable, short."""
    last = re.split(r"[/\\]", text)[-1]
    return "".join(c for c in last if c.isprintable())[-MAX_NAME:] or "photo"


def slug(text: str, otherwise: str = "subject") -> str:
    """A name as a folder may be called; `otherwise` where none of its letters could be."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or otherwise
