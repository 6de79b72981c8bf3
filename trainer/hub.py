"""Which file of a Hugging Face repository could not be had, and what to do about it. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import HTTPError  # the client that huggingface_hub uses
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from trainer.errors import UserError

UNREACHABLE = (OfflineModeIsEnabled, HfHubHTTPError, ConnectionError, HTTPError)
"""What the hub's library raises where there is no network, or no sensible answer."""


@contextmanager
def hub_errors(repo: str, error: type[UserError], instead: str) -> Iterator[None]:
    """Turn a hub failure inside the block into `error`, saying which and what to do.

    `instead` names what works without the hub.
    """
    try:
        yield
    except GatedRepoError as cause:  # a kind of RepositoryNotFoundError: it must come first
        raise error(
            f"{repo} is gated: accept its licence on https://huggingface.co/{repo}, then run "
            f"`hf auth login`. {instead}"
        ) from cause
    except (RepositoryNotFoundError, HFValidationError) as cause:
        raise error(
            f"{repo} does not exist on the Hugging Face hub, or is private: check the spelling "
            f"(owner/name), or run `hf auth login` if it is yours. {instead}"
        ) from cause
    except LocalEntryNotFoundError as cause:  # a kind of EntryNotFoundError
        raise error(
            f"{repo} is not downloaded yet and the Hugging Face hub cannot be reached: check the "
            f"network and try again. {instead}"
        ) from cause
    except EntryNotFoundError as cause:
        raise error(
            f"{repo} exists on the Hugging Face hub, but a needed file does not: "
            f"{_first_line(cause)} {instead}"
        ) from cause
    except UNREACHABLE as cause:
        raise error(
            f"{repo} could not be fetched from the Hugging Face hub ({_first_line(cause)}): check "
            f"the network (or HF_HUB_OFFLINE) and try again. {instead}"
        ) from cause


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
