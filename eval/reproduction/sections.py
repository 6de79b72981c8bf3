"""What the document says: a section a table or figure of the paper, in the paper's order.

Numbers come from the stored results alone; the words around them say what differs in the setting,
and hold whatever the numbers are.
"""

from __future__ import annotations

from eval.reproduction import about_directions, about_pictures, about_scores, about_training
from eval.reproduction.section import Section
from eval.reproduction.stored import Results


def sections(results: Results) -> list[Section]:
    """All of them."""
    return [
        about_directions.change_rates(results),
        about_directions.capture(results),
        about_scores.commonsense(results),
        about_scores.glue(results),
        about_pictures.dreambooth(results),
        about_pictures.people(results),
        about_scores.initialisation(results),
        about_training.ablations(results),
        about_training.losses(results),
        about_directions.alignment(results),
        about_directions.amplification(results),
        about_pictures.overlap(results),
        about_scores.other_methods(results),
        about_scores.recipes(),
    ]
