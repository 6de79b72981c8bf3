"""Which checkpoint is best: like the subject, and still obedient. Numbers made up for the rule."""

from __future__ import annotations

from typing import Any

from eval.score_checkpoints import best


def point(step: int, lost: float, **fidelity: float) -> dict[str, Any]:
    return {"checkpoint": step, "clip_t_lost": lost, **fidelity}


def test_the_best_is_the_likest_of_those_that_still_follow_their_prompts() -> None:
    points = [point(1, -0.01, clip_i=0.6), point(2, 0.02, clip_i=0.7), point(3, 0.05, clip_i=0.9)]
    chosen = best(points)
    assert chosen["checkpoint"] == 2
    assert "CLIP-I (70.0) among 2 of 3" in chosen["reason"]


def test_held_out_photos_count_before_those_it_was_trained_on() -> None:
    points = [
        point(1, 0.0, clip_i=0.6, clip_i_held_out=0.5),
        point(2, 0.0, clip_i=0.9, clip_i_held_out=0.4),  # it has begun to copy
    ]
    chosen = best(points)
    assert chosen["checkpoint"] == 1 and "held-out photos" in chosen["reason"]


def test_where_all_lost_their_prompts_the_least_lost_is_best() -> None:
    chosen = best([point(1, 0.08, dino=0.6), point(2, 0.04, dino=0.5)])
    assert chosen["checkpoint"] == 2 and "lost more than 2 points" in chosen["reason"]
