"""What the training scripts share: presets, a config file, every field as a flag, a bar, a resume.

A script says what it is called, what it is told and what it trains; the rest is here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

import tyro

from trainer.command_line import run_command, scout, whole_number
from trainer.config_file import from_json, read_values, to_json
from trainer.journal import Watch
from trainer.peers import is_first
from trainer.progress import progress
from trainer.run import RunFolder


@dataclass(frozen=True)
class TrainingCommand:
    """What every training script is told, beside the settings of its recipe."""

    preset: str = "demo"
    """Where the values below start from."""
    config: Path | None = None
    """JSON file with values, like a run's config.json; what it leaves out is the preset's."""
    resume: Path | None = None
    """Go on with this unfinished run folder; every other flag is then ignored."""
    print_recipe: bool = False
    """Print all values as JSON, and load and train nothing."""
    settings: Any = None
    """A recipe's config; the script gives it its type."""


Command = TypeVar("Command", bound=TrainingCommand)


OPTIM = {"optim.epochs": whole_number, "optim.steps": whole_number, "optim.optimizer": str}
"""For `ahead` of recipes on text: what `TextOptimConfig.put_aside` looks at."""


class Recipe(Protocol):
    """A module that trains: `trainer.dreambooth`, `trainer.glue`, `trainer.llm`."""

    @property
    def train(self) -> Callable[[Any, Watch], RunFolder]: ...

    @property
    def resume(self) -> Callable[[Path, Watch], RunFolder]: ...


@dataclass(frozen=True)
class TrainingScript(Generic[Command]):
    """One script; `main` is its whole life."""

    name: str
    """Of the file, in help and advice."""
    command: type[Command]
    recipe: Recipe
    start: Callable[[str, Mapping[str, Any]], Any]
    """The settings that a preset means, for what flags or file say of `ahead`."""
    welcome: str
    """Said where no flag is given."""
    describe: Callable[[RunFolder], list[str]]
    """What stands above the bar, once the run is known."""
    next_steps: Callable[[Path], Mapping[str, str]]
    """What to do with the finished run, by what for."""
    ahead: Mapping[str, Any] = field(default_factory=dict)
    """Flags that others' values hang on, with their kind: the task of a preset, and those that put
    something aside (trainer.config_file)."""
    check: Callable[[Command], None] = lambda command: None
    """Raises where the preset wants what the flags do not give."""

    def parse(self, arguments: Sequence[str]) -> Command:
        """The command that `arguments` ask for. Exits like any command line on --help or a typo."""
        preset = get_type_hints(self.command)["preset"]
        known = scout(arguments, preset=preset, config=Path)
        name = known.preset or (self.command.preset if arguments else "demo")
        file = read_values(known.config) if known.config else {}
        flags = self._ahead(arguments)
        settings = from_json(file, self.start(name, {**self._ahead_of(file), **flags}))
        # tyro keeps the values that no flag gives: what a flag puts aside has to be gone by then.
        settings = from_json(_nested(flags), settings)
        default = self.command(preset=name, config=known.config, settings=settings)
        return tyro.cli(self.command, default=default, args=list(arguments), prog=self.name)

    def _ahead(self, arguments: Sequence[str]) -> dict[str, Any]:
        """What the flags say of `ahead`."""
        flags = vars(scout(arguments, **self.ahead))
        return {name: value for name, value in flags.items() if value is not None}

    def _ahead_of(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """The same of a file; whether a value can be is seen later."""
        return {name: kind(file[name]) for name, kind in self.ahead.items() if name in file}

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run it: 0, or 2 for a user's error, or 130 after Ctrl-C with everything saved."""
        given = sys.argv[1:] if arguments is None else list(arguments)
        return run_command(lambda: self._run(given))

    def _run(self, arguments: Sequence[str]) -> None:
        command = self.parse(arguments)
        if command.print_recipe:
            print(json.dumps(to_json(command.settings), indent=2))
            return
        if not arguments and is_first():
            print(self.welcome)
        if not command.resume:
            self.check(command)
        with progress(self.name, self.describe) as watch:
            run = (
                self.recipe.resume(command.resume, watch)
                if command.resume
                else self.recipe.train(command.settings, watch)
            )
        if is_first():
            self._say_what_next(run.path)

    def _say_what_next(self, run: Path) -> None:
        print(f"Done: {run}")
        steps = self.next_steps(run)
        width = max(map(len, steps)) + 2
        for what, command in steps.items():
            print(f"{what + ':':<{width}} {command}")


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"optim.steps": 3} as {"optim": {"steps": 3}}, as config.json has it."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *sections, name = path.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return nested
