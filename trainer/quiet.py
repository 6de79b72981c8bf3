"""Libraries that talk while they load, held quiet: what a user should know, our own code says."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, notes or warnings of diffusers and transformers inside the block."""
    with ExitStack() as stack:
        for name in ("diffusers", "transformers"):
            if (
                name not in sys.modules
            ):  # seconds to import, and a recipe of text needs no diffusers
                continue
            library = importlib.import_module(f"{name}.utils.logging")
            stack.callback(library.set_verbosity, library.get_verbosity())
            if library.is_progress_bar_enabled():
                stack.callback(library.enable_progress_bar)
            library.set_verbosity(logging.ERROR)
            library.disable_progress_bar()
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield
