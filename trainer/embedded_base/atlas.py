"""Sprites of the concepts: emoji of seven open designs, rendered from SVG with alpha.

The packages come from the npm registry through `npm pack`. Noto and fxemoji are Apache-2.0;
Twemoji, EmojiOne 2 and Streamline CC BY 4.0; flat-color-icons MIT. The Fluent family and OpenMoji
are never a training design: Fluent draws the subjects that the base has not seen.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trainer.embedded_base.concepts import CONCEPTS
from trainer.errors import ArtifactError

PACKAGES = {
    "noto": "@iconify-json/noto@1.2.9",
    "noto-v1": "@iconify-json/noto-v1@1.2.5",
    "fxemoji": "@iconify-json/fxemoji@1.2.2",
    "twemoji": "@iconify-json/twemoji@1.2.5",
    "emojione": "@iconify-json/emojione@1.2.3",
    "flat-color-icons": "@iconify-json/flat-color-icons@1.2.3",
    "streamline": "@iconify-json/streamline-emojis@1.2.4",
}
"""Design name to the npm package that holds it."""

SPRITE_SIZE = 128


@dataclass(frozen=True)
class Sprite:
    """One concept in one design."""

    concept: str
    design: str
    picture: Image.Image
    """RGBA, cut to its visible part and padded to a square."""


def fetch(package: str, cache: Path) -> Path:
    """Unpack an npm package below `cache` (once) and give its folder."""
    folder = cache / "packages" / package.lstrip("@").replace("/", "-").replace("@", "-")
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", package, "--silent"],
            cwd=cache,
            capture_output=True,
            text=True,
            check=True,
        )
        archive = cache / packed.stdout.strip().splitlines()[-1]
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        archive.unlink()
    return folder / "package"


def trim(picture: Image.Image) -> Image.Image:
    """Cut to the visible part, then pad to a square, so that a size in pixels means the object."""
    cut = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox())
    side = max(cut.size)
    square = Image.new("RGBA", (side, side))
    square.paste(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    return square.resize((SPRITE_SIZE, SPRITE_SIZE), Image.Resampling.LANCZOS)


def render_icon(body: str, width: int, height: int) -> Image.Image:
    """Draw one iconify icon body."""
    import resvg_py  # of the extra `base`: who only composes scenes does without

    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=2 * SPRITE_SIZE, height=2 * SPRITE_SIZE)
    return trim(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def design_sprites(design: str, folder: Path) -> Iterator[Sprite]:
    """The concepts that one unpacked icon package draws."""
    icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    aliases = {alias: entry["parent"] for alias, entry in icons.get("aliases", {}).items()}
    names = {name.replace("-", ""): name for name in (*icons["icons"], *aliases)}
    for concept, candidates in CONCEPTS.items():
        keys = [c.replace("-", "") + variant for c in candidates for variant in ("", "1")]
        found = next((names[key] for key in keys if key in names), None)
        if found is None:
            continue
        icon = icons["icons"][aliases.get(found, found)]
        width = icon.get("width", icons.get("width", 16))
        height = icon.get("height", icons.get("height", 16))
        yield Sprite(concept, design, render_icon(icon["body"], width, height))


def build_atlas(cache: Path) -> Path:
    """Render every concept in every design to `cache/atlas/<concept>/<design>.png`."""
    folder = cache / "atlas"
    for design, package in PACKAGES.items():
        for sprite in design_sprites(design, fetch(package, cache)):
            path = folder / sprite.concept / f"{design}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            sprite.picture.save(path)
    return folder


def load_atlas(cache: Path) -> list[Sprite]:
    """All sprites in the order of concept and design, which is part of what a seed decides."""
    paths = sorted((cache / "atlas").glob("*/*.png"))
    if not paths:
        raise ArtifactError(
            f"The sprites that scenes are made of are not in {cache}. Run `python -m "
            "trainer.embedded_base atlas` first: it needs npm and `pip install -e .[base]`."
        )
    return [Sprite(p.parent.name, p.stem, Image.open(p).convert("RGBA")) for p in paths]
