"""A training as a terminal shows it: a bar, what happens beside the steps, and a safe Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from trainer.errors import Interrupted
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import RunFolder
from trainer.stopping import stop_on_signals


@contextmanager
def progress(script: str, describe: Callable[[RunFolder], list[str]]) -> Iterator[Watch]:
    """The watch of one training; after a stop the error says how `script` goes on.

    `describe`: what stands above the bar, once the run is known.
    """
    with stop_on_signals() as stop:
        bar = _Bar(describe)
        try:
            yield Watch(
                on_start=bar.on_start,
                on_step=bar.on_step,
                on_preview=bar.on_preview,
                on_validation=bar.on_validation,
                stop=stop,
            )
        except Interrupted as stopped:
            if bar.run is None:  # one of several processes, and not the one that talks
                raise
            raise Interrupted(
                f"{stopped}; everything is saved.\n"
                f"Go on with: python trainer/{script} --resume {bar.run}"
            ) from stopped
        finally:
            bar.close()


class _Bar:
    """Steps, loss and time left; everything else goes above."""

    def __init__(self, describe: Callable[[RunFolder], list[str]]) -> None:
        self.run: Path | None = None
        self._describe = describe
        self._bar: tqdm[None] | None = None

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_start(self, run: RunFolder, start: int, total_steps: int) -> None:
        self.run = run.path
        for line in self._describe(run):
            tqdm.write(line)
        self._bar = tqdm(total=total_steps, initial=start, desc="training", unit="step",
                         dynamic_ncols=True)  # fmt: skip

    def on_step(self, report: StepReport) -> None:
        assert self._bar is not None
        launch = report.launch
        if launch is not None:
            self._bar.set_description("dash")
            tqdm.write(
                f"Launch after step {launch.step}: directions chosen in {len(launch.layers)} "
                f"layers, {len(launch.plain)} stay plain LoRA; waited "
                f"{launch.seconds_waited:.1f} s for decompositions."
            )
        self._bar.set_postfix(loss=f"{report.loss:.4f}", refresh=False)
        self._bar.update()

    def on_preview(self, step: int, paths: list[Path]) -> None:
        tqdm.write(f"Preview at step {step}: {', '.join(map(str, paths))}")

    def on_validation(self, step: int, loss: float) -> None:
        tqdm.write(f"Held-out loss after step {step}: {loss:.4f}")
