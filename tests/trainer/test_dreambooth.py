"""The main job, headless, on the embedded base: what a run leaves behind, and exact resume."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import median

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from trainer.adapters.config import AdapterConfig
from trainer.checkpoints import kept_checkpoint, kept_steps
from trainer.config import (
    ASSETS,
    BUNDLED_SUBJECT,
    PRESETS,
    CheckpointConfig,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
    PreviewConfig,
    PriorConfig,
    SubjectConfig,
)
from trainer.dreambooth import resume, train
from trainer.errors import (
    ArtifactError,
    BaseModelError,
    ConfigError,
    Interrupted,
    PhotoError,
)
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import Run

STEPS, LAUNCH = 6, 3
PLAIN = {"adapter": AdapterConfig(method="lora", rank=2)}
"""Changes for tests of what surrounds the steps."""


def config(tmp_path: Path, **changes: object) -> DreamBoothConfig:
    tiny = DreamBoothConfig(
        photos=BUNDLED_SUBJECT,
        base="embedded",
        workspace=tmp_path / "workspace",
        adapter=AdapterConfig(rank=2, alpha=4, num_directions=3, prelaunch_steps=LAUNCH),
        optim=OptimConfig(steps=STEPS, learning_rate=1e-3, batch_size=2),
        preview=PreviewConfig(every=0),
        model=ModelConfig(device="cpu"),
        checkpoint=CheckpointConfig(minutes=1e6),
    )
    return dataclasses.replace(tiny, **changes)  # type: ignore[arg-type]


def stop_after(step: int) -> Watch:
    seen: list[int] = []

    def on_step(report: StepReport) -> None:
        seen.append(report.step)

    return Watch(on_step=on_step, stop=lambda: bool(seen) and seen[-1] >= step)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One uninterrupted run that all comparisons share."""
    folder = tmp_path_factory.mktemp("straight")
    return train(config(folder, preview=PreviewConfig(every=2, num_inference_steps=2)))


def tensors(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.native)


def assert_bitwise(a: Run, b: Run) -> None:
    first, second = tensors(a), tensors(b)
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in run.metric_rows() if row["kind"] == "step"]


@pytest.mark.parametrize("k", [LAUNCH - 1, LAUNCH, LAUNCH + 1])
def test_k_steps_and_the_rest_are_bitwise_one_straight_run(
    tmp_path: Path, straight: Run, k: int
) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(Interrupted, match=f"after step {k} of {STEPS}"):
        train(config(tmp_path, run=run.path), stop_after(k))
    assert not run.native.exists()
    resume(run.path)
    assert_bitwise(run, straight)  # the straight one also drew previews: they change nothing
    assert losses(run) == losses(straight)
    attempts = [row["attempt"] for row in run.metric_rows() if row["kind"] == "step"]
    assert attempts == [1] * k + [2] * (STEPS - k)


def test_a_resume_after_a_crash_cuts_the_metrics_back(tmp_path: Path, straight: Run) -> None:
    class PowerCut(Exception):
        pass

    def on_step(report: StepReport) -> None:
        if report.step == 5:
            raise PowerCut

    run = Run(tmp_path / "run")
    every_two = CheckpointConfig(minutes=1e6, every=2)
    with pytest.raises(PowerCut):
        train(config(tmp_path, run=run.path, checkpoint=every_two), Watch(on_step=on_step))
    resume(run.path)
    assert_bitwise(run, straight)
    steps = [row["step"] for row in run.metric_rows() if row["kind"] == "step"]
    assert steps == list(range(1, STEPS + 1))


def test_a_run_killed_while_it_exported_is_finished_by_resume(tmp_path: Path) -> None:
    optim = OptimConfig(steps=1, batch_size=1)
    run = train(config(tmp_path, adapter=AdapterConfig(method="lora", rank=2), optim=optim))
    before = load_file(run.adapter)
    for file in (run.status_file, run.adapter, run.adapter_kohya):
        file.unlink()
    resume(run.path)
    after = load_file(run.adapter)
    assert run.status_file.exists() and after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    with pytest.raises(ArtifactError, match="is finished"):
        resume(run.path)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ModelConfig(device="cpu", gradient_checkpointing=True)},
        {"optim": OptimConfig(steps=STEPS, learning_rate=1e-3, batch_size=2, micro_batch_size=1)},
    ],
    ids=["gradient checkpointing", "accumulation"],
)
def test_launch_comes_at_the_same_step_with_the_same_directions(
    tmp_path: Path, straight: Run, changes: dict[str, object]
) -> None:
    run = train(config(tmp_path, **changes))
    launches = [
        next(row for row in r.metric_rows() if row["kind"] == "launch") for r in (run, straight)
    ]
    assert launches[0]["step"] == launches[1]["step"] == LAUNCH
    mine, theirs = (launch["directions"] for launch in launches)
    # Sums in another order round otherwise: a tie of two change rates may turn, no more. In layers
    # that get next to no gradient (queries and keys of a short text) there is only rounding.
    highest = {path: max(row["rate"]) for path, row in theirs.items()}
    moved = [path for path, rate in highest.items() if rate > median(highest.values()) / 10]
    assert len(moved) > 0.7 * len(theirs)
    shared = sum(len({*mine[path]["index"]} & {*theirs[path]["index"]}) for path in moved)
    assert shared >= 0.97 * sum(len(theirs[path]["index"]) for path in moved)
    assert losses(run) == pytest.approx(losses(straight), rel=1e-4)


def test_saves_and_samples_on_request_change_no_bit(tmp_path: Path, straight: Run) -> None:
    saved: list[int] = []
    sampled: list[int] = []
    watch = Watch(
        on_preview=lambda step, paths: sampled.append(step),
        on_save=saved.append,
        save_now=lambda: True,
        sample_now=lambda: True,
    )
    run = train(config(tmp_path, preview=PreviewConfig(every=0, num_inference_steps=2)), watch)
    assert saved[:STEPS] == sampled == list(range(1, STEPS + 1))
    assert_bitwise(run, straight)


@pytest.mark.parametrize("k", [LAUNCH - 1, LAUNCH + 1], ids=["before launch", "after launch"])
def test_a_finish_publishes_what_was_learnt_so_far(tmp_path: Path, straight: Run, k: int) -> None:
    seen: list[int] = []
    watch = Watch(on_step=lambda report: seen.append(report.step), finish_now=lambda: seen[-1] == k)
    run = train(config(tmp_path), watch)
    status = json.loads(run.status_file.read_text())
    assert (status["state"], status["step"], status["total_steps"]) == ("succeeded", k, STEPS)
    assert losses(run) == losses(straight)[:k]
    assert status["diffusers_error"] < 5e-3  # both exports were reloaded and compared
    with safe_open(run.native, "pt") as file:
        assert file.metadata()["phase"] == ("dash" if k > LAUNCH else "pre-launch")


def test_nothing_is_published_where_it_must_not_be_but_resume_can(tmp_path: Path) -> None:
    class Taken(Exception):
        pass

    def refuse() -> None:
        raise Taken

    run = Run(tmp_path / "run")
    with pytest.raises(Taken):
        train(config(tmp_path, run=run.path, **PLAIN), Watch(before_publish=refuse))
    assert not any(path.exists() for path in (run.native, run.adapter, run.status_file))
    resume(run.path)
    assert run.status_file.exists()


def test_as_many_checkpoints_stay_as_asked_for(tmp_path: Path) -> None:
    every_step = CheckpointConfig(minutes=1e6, every=1, keep=3)
    run = train(config(tmp_path, checkpoint=every_step, **PLAIN))
    assert kept_steps(run.checkpoints) == [STEPS - 2, STEPS - 1, STEPS]
    with pytest.raises(ArtifactError, match="no checkpoint of step 1; kept are: 4, 5, 6"):
        kept_checkpoint(run.checkpoints, 1)


def test_launch_is_continuous_and_told(straight: Run) -> None:
    [launch] = [row for row in straight.metric_rows() if row["kind"] == "launch"]
    assert launch["probe_difference"] == 0.0
    assert launch["layers"] + len(launch["plain"]) == 88


def test_the_run_folder_holds_everything_the_readme_names(straight: Run) -> None:
    names = {path.name for path in straight.path.iterdir()}
    assert names >= {
        "config.json", "subject.json", "status.json", "metrics.jsonl", "checkpoints", "photos",
        "held_out", "samples", "native.safetensors", "adapter.safetensors",
        "adapter-kohya.safetensors",
    }  # fmt: skip
    assert json.loads(straight.status_file.read_text())["state"] == "succeeded"
    samples = sorted(path.name for path in straight.samples.iterdir())
    assert samples[0] == "step-000000-seed-0.png" and len(samples) == 8
    assert not [path for path in straight.path.rglob(".*")]


def test_both_exports_in_a_fresh_stock_pipeline_are_the_trained_adapter(straight: Run) -> None:
    from trainer.generator import AdapterUse, Generator

    generator = Generator.for_run(straight, "cpu")
    unet = generator.sdxl.unet
    torch.manual_seed(0)
    inputs = {
        "sample": torch.randn(1, 4, 16, 16),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 77, unet.config.cross_attention_dim),
        "added_cond_kwargs": {
            "text_embeds": torch.randn(
                1, generator.sdxl.pipeline.text_encoder_2.config.projection_dim
            ),
            "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]]),
        },
    }
    with torch.no_grad():
        with generator.using([AdapterUse(straight)]):
            trained = unet(**inputs).sample
        with generator.using([]):
            base = unet(**inputs).sample
    assert (trained - base).norm() > 0
    for file in (straight.adapter, straight.adapter_kohya):
        pipeline = StableDiffusionXLPipeline.from_pretrained(ASSETS / "embedded_base")
        pipeline.load_lora_weights(str(file))
        with torch.no_grad():
            loaded = pipeline.unet(**inputs).sample
        assert (loaded - trained).norm() <= 5e-3 * (trained - base).norm() + 1e-4


def test_the_kohya_file_says_what_it_is(straight: Run) -> None:
    with safe_open(straight.adapter_kohya, "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert metadata["modelspec.prediction_type"] == "v"
    assert metadata["modelspec.trigger_phrase"].startswith("zwx ")
    assert metadata["modelspec.hash_sha256"].startswith("0x")


@pytest.mark.parametrize(
    ("prior", "flip"),
    [
        (PriorConfig(mode="images", num_class_images=2), True),
        (PriorConfig(mode="adapter-off"), False),
    ],
)
def test_prior_preservation_and_flip_train(tmp_path: Path, prior: PriorConfig, flip: bool) -> None:
    optim = OptimConfig(steps=2, batch_size=2, learning_rate=1e-3)
    adapter = AdapterConfig(method="lora", rank=2)
    subject = SubjectConfig(flip=flip)
    run = train(config(tmp_path, prior=prior, optim=optim, adapter=adapter, subject=subject))
    assert run.native.exists()
    made = list((tmp_path / "workspace" / "cache" / "class_images").rglob("*.png"))
    assert len(made) == (2 if prior.mode == "images" else 0)


@pytest.mark.parametrize("method", ["lora", "lora-dash", "lora-init", "lora-restart"])
def test_every_method_trains_and_exports(tmp_path: Path, method: str) -> None:
    adapter = AdapterConfig(
        method=method,  # type: ignore[arg-type]
        rank=2,
        num_directions=2,
        prelaunch_steps=None if method == "lora" else 1,
    )
    optim = OptimConfig(steps=2, batch_size=1)
    assert train(config(tmp_path, adapter=adapter, optim=optim)).adapter.exists()


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"photos": None}, ConfigError, "--photos"),
        ({"photos": Path("/nowhere/at/all")}, PhotoError, "/nowhere/at/all"),
        ({"base": "./nowhere"}, BaseModelError, "./nowhere"),
        ({"adapter": AdapterConfig(rank=100000)}, ConfigError, "--adapter.rank"),
        ({"adapter": AdapterConfig(prelaunch_steps=6)}, ConfigError, "--adapter.prelaunch-steps"),
        ({"optim": OptimConfig(steps=0)}, ConfigError, "--optim.steps"),
    ],
    ids=["no photos", "no such folder", "no such base", "rank", "launch too late", "steps"],
)
def test_bad_input_is_named_and_leaves_nothing(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says.replace("/", "/").replace(".", r"\.")):
        train(config(tmp_path, **changes))
    assert not (tmp_path / "workspace" / "runs").exists()


def test_a_class_that_is_not_told_is_asked_for(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((64, 64), 50).save(photos / "a.png")
    with pytest.raises(ConfigError, match=r"--subject\.class-token"):
        train(config(tmp_path, photos=photos))


def test_a_run_folder_that_is_there_is_never_overwritten(straight: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--resume"):
        train(config(tmp_path, run=straight.path))


def test_one_photo_and_a_folder_of_bad_files_just_work(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((80, 70), 90).convert("RGB").save(photos / "good.jpg")
    (photos / "broken.jpg").write_bytes(b"not a picture")
    (photos / "good.txt").write_text("a zwx dog in the snow")
    subject = SubjectConfig(class_token="dog")
    optim = OptimConfig(steps=1, batch_size=2)
    adapter = AdapterConfig(method="lora", rank=2)
    run = train(config(tmp_path, photos=photos, subject=subject, optim=optim, adapter=adapter))
    kept = run.read_subject()
    assert [photo.caption for photo in kept.photos] == ["a zwx dog in the snow"]
    assert any("broken.jpg" in warning for warning in kept.warnings)


def test_presets_differ_only_where_they_say() -> None:
    assert PRESETS["paper"].adapter.rank == 4 and PRESETS["paper"].optim.steps == 500
    assert PRESETS["low-vram"].model.gradient_checkpointing
    assert PRESETS["demo"].base == "embedded"
    assert PRESETS["default"].base == "stabilityai/stable-diffusion-xl-base-1.0"


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["dog", "teapot", "bear_plushie"])
def test_real_photos_go_through_the_recipe(tmp_path: Path, shared_data: Path, name: str) -> None:
    photos = shared_data / "dreambooth" / "subjects" / name
    subject = SubjectConfig(class_token=name.replace("_", " "))
    optim = OptimConfig(steps=2, batch_size=2)
    adapter = AdapterConfig(rank=2, num_directions=2, prelaunch_steps=1)
    run = train(config(tmp_path, photos=photos, subject=subject, optim=optim, adapter=adapter))
    assert len(run.read_subject().photos) == len(list(photos.glob("*.jpg")))
