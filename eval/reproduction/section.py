"""What all sections are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.reproduction.markdown import NOT_RUN

GLUE = {"sst2": "SST-2", "cola": "CoLA", "mrpc": "MRPC", "rte": "RTE", "stsb": "STS-B"}
"""Tasks that were run here, by the names of our commands."""


@dataclass(frozen=True)
class Section:
    """One table or figure."""

    title: str
    text: str


def commands(model: str, *commands: str) -> str:
    return f"{model}: {NOT_RUN}.\n\n```bash\n" + "\n".join(commands) + "\n```"


def joined(parts: Sequence[str], last: str = "") -> str:
    return "\n\n".join([*parts, *([last] if last else [])])
