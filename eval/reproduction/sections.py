"""What the document says: a section a table or figure of the paper, in the paper's order.

Numbers come from the stored results alone; the words around them say what differs in the setting,
and hold whatever the numbers are.
"""

from __future__ import annotations

from eval.reproduction import about_directions, about_scores
from eval.reproduction.section import Section
from eval.reproduction.stored import Results


def sections(results: Results) -> list[Section]:
    """All of them."""
    return [
        about_directions.change_rates(results),
        about_directions.capture(results),
        about_scores.commonsense(results),
        about_scores.glue(results),
        about_scores.dreambooth(results),
        about_scores.people(results),
        about_scores.initialisation(results),
        about_directions.ablations(results),
        about_directions.alignment(results),
        about_directions.amplification(results),
        about_directions.overlap(results),
        about_scores.other_methods(results),
        about_scores.recipes(),
    ]
