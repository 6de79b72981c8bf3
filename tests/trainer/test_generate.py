"""Pictures: the same seed gives the same picture, scale 0 is the base, nothing is drawn twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    BUNDLED_SUBJECT,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
    PreviewConfig,
)
from trainer.dreambooth import train
from trainer.errors import ArtifactError, ConfigError
from trainer.generate import draw, main
from trainer.generator import Generator
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
