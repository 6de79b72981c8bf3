"""Where learning turned into copying: `python -m eval.score_checkpoints RUN`.

Scores every kept checkpoint like the finished adapter, and writes curve.json: fidelity to the
photos against fidelity to the prompts, a point a checkpoint, with the best one and why it is.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from eval.report import LIKENESS, TITLES, measure_name
from eval.score_config import ScoreConfig, ScoreWatch
from eval.score_subject import score_subject
from eval.scores import MOST_LOST
from trainer.checkpoints import kept_steps
from trainer.command_line import run_command
from trainer.files import write_json
from trainer.generator import Generator
from trainer.run import Run, open_run

FORMAT = 1


def score_checkpoints(config: ScoreConfig, watch: ScoreWatch | None = None) -> dict[str, Any]:
    """Score the finished adapter and each kept checkpoint before it; what curve.json holds."""
    run = open_run(config.run)
    generator = Generator.on_base_of(run, config.device)
    last = json.loads(run.status_file.read_text("utf-8"))["step"]
    earlier = [step for step in kept_steps(run.checkpoints) if step < last]
    points = []
    for step in [*earlier, last]:  # the finished adapter is the checkpoint of the last step
        checkpoint = step if step < last else None
        asked = dataclasses.replace(config, checkpoint=checkpoint)
        points.append(_point(step, score_subject(asked, watch, generator)))
    curve = {"format": FORMAT, "run": run.path.resolve().name, "points": points,
             "best": best(points)}  # fmt: skip
    (watch or ScoreWatch()).before_publish()
    write_json(run.curve, curve)
    return curve


def _point(step: int, scores: dict[str, Any]) -> dict[str, Any]:
    """The means by measure, `<measure>_held_out` against held-out photos, and all rows."""
    means: dict[str, float] = {}
    for row in scores["scores"]:
        means.setdefault(measure_name(row), row["adapter"]["value"])
    lost = next((-row["difference"]["value"] for row in scores["scores"]
                 if row["measure"] == "clip_t"), 0.0)  # fmt: skip
    return {"checkpoint": step, **means, "clip_t_lost": lost, "scores": scores["scores"]}


def best(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The point most like the subject among those that still follow their prompts."""
    fidelity = next(name for name in LIKENESS if name in points[0])
    faithful = [point for point in points if point["clip_t_lost"] <= MOST_LOST]
    if not faithful:
        chosen = min(points, key=lambda point: point["clip_t_lost"])
        why = (
            f"every checkpoint lost more than {100 * MOST_LOST:g} points of CLIP-T against the "
            f"base; this one the least, {100 * chosen['clip_t_lost']:.1f}"
        )
    else:
        chosen = max(faithful, key=lambda point: point[fidelity])
        name = _title(fidelity)
        why = (
            f"highest {name} ({100 * chosen[fidelity]:.1f}) among {len(faithful)} of "
            f"{len(points)} checkpoints that lost at most {100 * MOST_LOST:g} points of CLIP-T"
        )
    return {"checkpoint": chosen["checkpoint"], "reason": why}


def _title(fidelity: str) -> str:
    measure = fidelity.removesuffix("_held_out")
    return TITLES[measure] + (" with held-out photos" if measure != fidelity else "")


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ScoreConfig, args=arguments)))


def _report(config: ScoreConfig) -> None:
    curve = score_checkpoints(config)
    for point in curve["points"]:
        measures = (f"{name} {100 * value:.1f}" for name, value in point.items()
                    if isinstance(value, float))  # fmt: skip
        print(f"step {point['checkpoint']}: {', '.join(measures)}")
    print(f"best: step {curve['best']['checkpoint']}, {curve['best']['reason']}")
    print(f"\n  {Run(config.run).curve}")


if __name__ == "__main__":
    sys.exit(main())
