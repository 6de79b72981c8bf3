"""`make demo`: the whole main job on the embedded base and a bundled subject, without hub or GPU.

Photos → LoRA-TSD → exports → pictures → scores → contact sheet, with the very commands a user has.
"""

from __future__ import annotations

import sys
import time

from eval.report import table
from eval.score_config import ScoreConfig
from eval.score_subject import score_subject
from trainer.command_line import run_command
from trainer.config import preset
from trainer.dreambooth import train
from trainer.progress import progress
from trainer.run import Run
from trainer.train_dreambooth import describe


def main() -> int:
    return run_command(_demo)


def _demo() -> None:
    began = time.monotonic()
    config = preset("demo")
    print(f"Step 1 of 2: the embedded base learns {config.photos} with LoRA-TSD.")
    with progress("train_dreambooth.py", describe) as watch:
        run = train(config, watch)
    print("Step 2 of 2: drawing 25 prompts with and without the adapter, and scoring them.")
    scores = score_subject(ScoreConfig(run.path, seeds=(0, 1)))
    print(table(scores))
    _say_where(run, time.monotonic() - began)


def _say_where(run: Run, seconds: float) -> None:
    print(
        f"\nDone in {seconds / 60:.1f} minutes. Look at photos | base | adapter:\n"
        f"  {run.path / 'contact_sheet.png'}\n"
        f"The adapter, for diffusers and for ComfyUI / A1111:\n"
        f"  {run.adapter}\n  {run.adapter_kohya}\n"
        f"Your own photos: python trainer/train_dreambooth.py --help"
    )


if __name__ == "__main__":
    sys.exit(main())
