"""Pictures: the same seed gives the same picture, scale 0 is the base, nothing is drawn twice."""

from __future__ import annotations

import dataclasses
import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    ASSETS,
    BUNDLED_SUBJECT,
    CheckpointConfig,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
    PreviewConfig,
)
from trainer.dreambooth import train
from trainer.errors import ArtifactError, ConfigError
from trainer.generate import Drawn, draw, draw_pictures, main
from trainer.generator import AdapterUse, Generator
from trainer.run import Run
from trainer.sdxl.load import load_sdxl
from trainer.sdxl.sample import SamplingConfig

QUICK = SamplingConfig(num_inference_steps=2, guidance_scale=3.0)
PROMPT = "a {unique_token} {class_token} on a red background"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(
        DreamBoothConfig(
            photos=BUNDLED_SUBJECT,
            base="embedded",
            workspace=tmp_path_factory.mktemp("workspace"),
            adapter=AdapterConfig(rank=4, alpha=4, prelaunch_steps=2),
            optim=OptimConfig(steps=6, batch_size=1, learning_rate=3e-3),
            preview=PreviewConfig(every=0),
            model=ModelConfig(device="cpu"),
        )
    )


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_scale_0_is_the_bare_base_and_scale_1_is_not(run: Run) -> None:
    [adapted] = draw(run, [PROMPT], [7], QUICK, folder="one")
    [off] = draw(run, [PROMPT], [7], QUICK, scale=0.0, folder="zero")
    stock = load_sdxl("embedded", ModelConfig(device="cpu")).pipeline
    import torch

    expected = stock(
        adapted.prompt, num_inference_steps=2, guidance_scale=3.0, height=64, width=64,
        generator=torch.Generator().manual_seed(7),
    ).images[0]  # fmt: skip
    difference = np.abs(pixels(off.path).astype(int) - np.asarray(expected).astype(int))
    assert difference.max() <= 1  # one rounding step of 8 bits
    assert (pixels(adapted.path) != pixels(off.path)).any()


def test_pictures_that_are_there_are_kept_and_others_drawn(run: Run) -> None:
    first = draw(run, [PROMPT], [1, 2], QUICK)
    times = [picture.path.stat().st_mtime_ns for picture in first]
    again = draw(run, [PROMPT], [1, 2, 3], QUICK)
    assert [p.path.stat().st_mtime_ns for p in again[:2]] == times
    assert again[2].path.exists()
    harder = SamplingConfig(num_inference_steps=2, guidance_scale=5.0)
    draw(run, [PROMPT], [1], harder)
    assert first[0].path.stat().st_mtime_ns != times[0]


def test_a_picture_does_not_depend_on_its_neighbours(run: Run) -> None:
    together = draw(run, [PROMPT, "a dog"], [4, 5], QUICK, folder="together")
    alone = draw(run, ["a dog"], [5], QUICK, folder="alone")
    difference = pixels(together[3].path).astype(int) - pixels(alone[0].path).astype(int)
    assert np.abs(difference).max() <= 1


def test_a_picture_says_how_to_make_it_again(run: Run) -> None:
    [picture] = draw(run, [PROMPT], [9], QUICK)
    with Image.open(picture.path) as image:
        made = json.loads(image.info["dashbooth"])
    assert made["prompt"] == picture.prompt and made["seed"] == 9
    [adapter] = made["adapters"]
    assert adapter["run"] == run.path.name and adapter["scale"] == 1.0


def test_sizes_the_base_cannot_draw_are_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="--width is 50"):
        draw(run, [PROMPT], [1], SamplingConfig(width=50))


def test_an_adapter_of_another_base_is_refused(run: Run) -> None:
    generator = Generator.for_run(run, "cpu")
    generator.close()
    other = run.read_config()
    sdxl = load_sdxl(other.base, ModelConfig(device="cpu"))
    for parameter in sdxl.unet.parameters():
        parameter.data.add_(1e-3)
    from trainer.adapters.attach import find_targets
    from trainer.adapters.checkpoint import load_native
    from trainer.adapters.weights import base_fingerprint

    fingerprint = base_fingerprint(find_targets(sdxl.unet, other.adapter.target_modules))
    with pytest.raises(ArtifactError, match="another base"):
        load_native(sdxl.unet, run.native, base_fingerprint=fingerprint)


def test_the_command_prints_the_files_it_wrote(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(run.path), "--prompt", PROMPT, "--seeds", "0", "1", "--steps", "2"]
    assert main(arguments) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(files) == 2 and all(file.exists() for file in files)


def test_a_folder_that_is_no_run_is_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--prompt", "x"]) == 2
    assert "config.json" in capsys.readouterr().err


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Another adapter of the same base, with other targets and two checkpoints."""
    return train(
        DreamBoothConfig(
            photos=ASSETS / "subjects" / "teapot",
            base="embedded",
            workspace=tmp_path_factory.mktemp("workspace"),
            adapter=AdapterConfig(
                rank=2, alpha=2, prelaunch_steps=1, target_modules=("attn2.to_v",)
            ),
            optim=OptimConfig(steps=4, batch_size=1, learning_rate=3e-3),
            preview=PreviewConfig(every=0),
            model=ModelConfig(device="cpu"),
            checkpoint=CheckpointConfig(every=2),
        )
    )


def drawn(
    generator: Generator, uses: list[AdapterUse], path: Path, **sampling: object
) -> np.ndarray:
    picture = Drawn(path / f"{len(list(path.iterdir()))}.png", "a duck", 3)
    config = dataclasses.replace(QUICK, **sampling)  # type: ignore[arg-type]
    draw_pictures(generator, uses, [picture], config)
    return pixels(picture.path).astype(int)


def test_adapters_act_together_at_their_own_scales_and_leave_no_trace(
    run: Run, other: Run, tmp_path: Path
) -> None:
    generator = Generator.on_base_of(run, "cpu")
    first, second = AdapterUse(run), AdapterUse(other, scale=2.0)
    base = drawn(generator, [], tmp_path)
    generator.hold([first, second])
    alone = [drawn(generator, [use], tmp_path) for use in (first, second)]
    both = drawn(generator, [first, second], tmp_path)
    weak = drawn(generator, [first, dataclasses.replace(second, scale=1.0)], tmp_path)
    pictures = [base, *alone, both, weak]
    assert all((a != b).any() for a, b in combinations(pictures, 2))
    assert (drawn(generator, [], tmp_path) == base).all()
    generator.close()
    assert (drawn(generator, [], tmp_path) == base).all()


def test_a_checkpoint_draws_as_the_adapter_was_then(run: Run, other: Run, tmp_path: Path) -> None:
    generator = Generator.on_base_of(other, "cpu")
    early, last = AdapterUse(other, checkpoint=2), AdapterUse(other, checkpoint=4)
    generator.hold([early, last, AdapterUse(other)])
    then, at_end, finished = (
        drawn(generator, [use], tmp_path) for use in (early, last, AdapterUse(other))
    )
    assert (at_end == finished).all() and (then != finished).any()


def test_adapters_of_different_bases_cannot_draw_together(
    run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path / "base"
    shutil.copytree(ASSETS / "embedded_base", base)
    file = next((base / "unet").glob("*.safetensors"))
    save_file({k: v + 1e-3 for k, v in load_file(file).items()}, file, {"format": "pt"})
    config = dataclasses.replace(
        run.read_config(), base=str(base), workspace=tmp_path, optim=OptimConfig(steps=3)
    )
    stranger = train(dataclasses.replace(config, run=tmp_path / "stranger"))
    generator = Generator.for_run(run, "cpu")
    with pytest.raises(ArtifactError, match=r"cannot draw together.*stranger on .*another base"):
        generator.hold([AdapterUse(run), AdapterUse(stranger)])
    generator.hold([AdapterUse(run)])  # the base is as it was


def test_every_scheduler_draws_the_base_s_own_picture_as_well_as_it_can(
    run: Run, tmp_path: Path
) -> None:
    """Ways to the same end: with many steps they meet; other seeds are far. Ancestral Euler adds
    noise of its own, so it only has to draw."""
    generator = Generator.on_base_of(run, "cpu")
    scheduler = generator.sdxl.pipeline.scheduler
    many = {"num_inference_steps": 24}
    own = drawn(generator, [], tmp_path, **many)
    euler = drawn(generator, [], tmp_path, scheduler="euler", **many)
    assert (own == euler).all()
    far = np.abs(drawn(generator, [], tmp_path, scheduler="euler-a", **many) - own).mean()
    for name in ("dpm++", "ddim", "unipc"):
        near = np.abs(drawn(generator, [], tmp_path, scheduler=name, **many) - own).mean()
        assert near < far / 2, name
    assert generator.sdxl.pipeline.scheduler is scheduler
