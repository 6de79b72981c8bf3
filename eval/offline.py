"""Models that may not be at hand: say so, at once, and not after a minute of silent retries."""

from __future__ import annotations

import logging
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants

from trainer.errors import UserError


class ScorerUnavailable(UserError):
    """A feature model is not at hand: no network, package absent, file missing."""


def not_downloaded(name: str) -> str:
    """What to say of a hub model that is not at hand."""
    return (
        f"{name} is not downloaded yet and the Hugging Face hub does not give it: check the "
        "network (or HF_HUB_OFFLINE) and score again; the pictures are kept."
    )


def hub_is_reachable() -> bool:
    """Whether the hub's name can be looked up; behind a proxy, which does that itself, True."""
    if urllib.request.getproxies():
        return True
    host = urllib.parse.urlparse(constants.ENDPOINT).hostname or "huggingface.co"
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


@contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Inside the block the hub's client looks at its cache only, where there is no network.

    What is downloaded still loads; what is not fails at once instead of after five retries.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not hub_is_reachable()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def quiet() -> Iterator[None]:
    """Inside the block libraries log nothing: their failure reaches the caller as an exception."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
