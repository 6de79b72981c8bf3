"""The prompts a subject is tried on: lists in assets/prompts, or a file of the user's own.

`object` and `live` are DreamBooth's two lists of 25 (Ruiz et al. 2023); `embedded` says 25 scenes
in the words the embedded base was trained on. A template holds {unique_token} and {class_token}.
No torch.
"""

from __future__ import annotations

import re
from pathlib import Path

from trainer.config import ASSETS, EMBEDDED_BASE
from trainer.data.subject import fill
from trainer.errors import ConfigError

PROMPTS = ASSETS / "prompts"
LISTS = ("object", "live", "embedded")
LIVE_CLASSES = frozenset(
    "animal baby bear bird boy cat child cow dog duck elephant fish fox frog girl goat hamster "
    "horse kitten lion man monkey owl panda parrot penguin person pig puppy rabbit sheep sloth "
    "squirrel tiger turtle wolf woman".split()
)
"""Classes that take the `live` list; a toy or a stuffed animal is an object."""
# Nouns that take no article in the captions of the embedded base.
_PLURALS = ("glasses", "sunglasses")


def default_list(base: str, class_token: str) -> str:
    """Which list suits a subject: by its base first, then by whether its class is alive."""
    if base == EMBEDDED_BASE:
        return "embedded"
    return "live" if class_token.lower() in LIVE_CLASSES else "object"


def read_templates(name: str) -> list[str]:
    """The templates of a list, or of a file with one a line (`#` starts a comment)."""
    path = PROMPTS / f"{name}.txt" if name in LISTS else Path(name)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--prompts {name}: cannot be read ({error}). Give one of {', '.join(LISTS)}, or a "
            "text file with one template a line."
        ) from error
    templates = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    faults = [fault for template in templates if (fault := _fault(template))]
    if not templates:
        faults.append("there is no prompt in it.")
    if faults:
        raise ConfigError("\n".join(f"--prompts {name}: {fault}" for fault in faults))
    return templates


def _fault(template: str) -> str | None:
    unknown = set(re.findall(r"\{.*?\}", template)) - {"{unique_token}", "{class_token}"}
    if unknown:
        return (
            f"{template!r} has {' '.join(sorted(unknown))}; only {{unique_token}} and "
            "{class_token} are filled in."
        )
    if "{unique_token}" not in template:
        return f"{template!r} has no {{unique_token}}, so it does not ask for the subject."
    return None


def without_token(template: str, class_token: str) -> str:
    """The same prompt for any member of the class: the unique token removed, the article mended.

    CLIP-T compares with this one, since no scorer knows the token; leakage draws it.
    """
    text = " ".join(fill(template, "", class_token).split())
    text = re.sub(rf"^an? ((?:\w+ )*(?:{'|'.join(_PLURALS)})\b)", r"\1", text)
    return re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)
