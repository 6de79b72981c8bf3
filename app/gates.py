"""Which bases the hub gives only to those who accepted a licence. No torch.

Asked beside the page, which waits for no network: until the hub has answered, and where it cannot
be reached, nothing is claimed.
"""

from __future__ import annotations

import functools
import threading

from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError

from trainer.hub import UNREACHABLE


def gated(repos: tuple[str, ...]) -> frozenset[str]:
    """Those of `repos` that are known by now to be closed to this account."""
    return frozenset(_asked(repos))


@functools.cache
def _asked(repos: tuple[str, ...]) -> set[str]:
    """Filled as the answers come; asked once a process."""
    closed: set[str] = set()
    threading.Thread(target=_ask, args=(repos, closed), daemon=True).start()
    return closed


def _ask(repos: tuple[str, ...], closed: set[str]) -> None:
    hub = HfApi()
    for repo in repos:
        try:
            hub.auth_check(repo)
        except GatedRepoError:
            closed.add(repo)
        except UNREACHABLE:
            continue
