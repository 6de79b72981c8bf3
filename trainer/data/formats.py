"""Which picture formats are read, and what a file that is none of them seems to be.

Told by the first bytes, never by the name: phones and web pages name files as they like.
"""

from __future__ import annotations

import re

READ = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "GIF", "BMP")
"""Pillow's names for what is opened, MPO by way of JPEG; EPS, which starts a program, is not."""

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
"""Formats whose further frames are an animation; in MPO, TIFF and HEIF they are side pictures."""

POSSIBLE = "JPEG, PNG, WebP, HEIC/HEIF, AVIF or TIFF"
"""The formats as users know them, for messages."""

_PICTURE_STARTS: dict[str, bytes] = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM",
    "HEIC": rb".{4}ftyp(hei|hev|mif|msf)",
    "AVIF": rb".{4}ftypavi",
}

_OTHER_STARTS: dict[str, bytes] = {
    "an SVG drawing": rb"\s*(<\?xml.*?)?(<!--.*?-->\s*|<!DOCTYPE svg.*?>\s*)*<svg\b",
    "a web page (HTML)": rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b",
    "a PDF document": rb"%PDF",
    "a Photoshop document": rb"8BPS",
    "a JPEG XL picture": rb"\xff\x0a|.{4}JXL ",
    "a zip archive": rb"PK\x03\x04",
    "a video": rb".{4}(ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF.{4}AVI ",
}


def picture_format(head: bytes) -> str | None:
    """The readable format that a file beginning with `head` claims to be."""
    return _first_match(_PICTURE_STARTS, head)


def other_content(head: bytes) -> str:
    """What a file beginning with `head` seems to be, when it is no picture we read."""
    return _first_match(_OTHER_STARTS, head) or ("text" if _is_text(head) else "unknown data")


def _first_match(starts: dict[str, bytes], head: bytes) -> str | None:
    flags = re.DOTALL | re.IGNORECASE
    return next((name for name, start in starts.items() if re.match(start, head, flags)), None)


def _is_text(head: bytes) -> bool:
    # The last character may be cut in two, so up to three bytes are forgiven.
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(char.isprintable() or char.isspace() for char in text)
