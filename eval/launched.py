"""Which adapters launch task-specific directions at all, told from how they were made. No torch."""

from __future__ import annotations

from trainer.adapters.config import AdapterConfig


def launches_none(method: str) -> str:
    """What is said of a method without any."""
    return (
        f"method {method} launches no directions; compare runs of lora-dash, lora-init or lora-tsd."
    )


def why_no_directions(adapter: AdapterConfig) -> str | None:
    """Why runs of such an adapter have none to compare; None where they do."""
    if not adapter.chosen:
        return launches_none(adapter.method)
    if adapter.direction != "tsd":
        return (
            f"its directions are '{adapter.direction}', chosen without looking at the subject; "
            "compare runs with --adapter.direction tsd."
        )
    return None
