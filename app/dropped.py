"""Files dropped on the page, as Gradio keeps them until they are taken in. No torch.

They are originals, with all that a camera or phone wrote into them, and Gradio would keep and serve
them for ever. Here they go as soon as they are taken in, or after a while where nobody presses on.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from app.views import Upload
from trainer.errors import PhotoError

FOLDER = "gradio"
"""Below the workspace's cache: Gradio writes <hash of the content>/<name as it came> there."""
KEPT_SECONDS = 3600
LOOKED_AT_SECONDS = 300
"""How often Gradio looks for files that are older than that."""


@contextmanager
def taken_in(files: Sequence[str]) -> Iterator[list[Upload]]:
    """The files, open; gone once all is done with them, those that were refused as well.

    Where the whole request is refused they stay: the page shows them still, and a name that was
    missing needs no second upload.
    """
    paths = [Path(file) for file in files]
    with ExitStack() as stack:
        try:
            opened = [stack.enter_context(path.open("rb")) for path in paths]
        except FileNotFoundError as error:
            raise PhotoError(
                "These files are here no longer: they were taken in already, or lay on the page "
                "for too long. Drop them again."
            ) from error
        yield [Upload(path.name, file) for path, file in zip(paths, opened, strict=True)]
    for path in paths:
        _forget(path)


def sweep(folder: Path, age: float = KEPT_SECONDS) -> None:
    """Delete what is older than `age` seconds: also what a cut upload or a killed page left, of
    which Gradio knows nothing any more."""
    oldest = time.time() - age
    for place, _, names in os.walk(folder):  # passes over what is taken away meanwhile
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                if path.stat().st_ctime < oldest:
                    _forget(path)


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
    if re.fullmatch(r"[0-9a-f]{64}", path.parent.name):
        with suppress(OSError):  # another file of the same content lies there
            path.parent.rmdir()
