"""The verbs over real runs: what may be asked for, what is refused at once, what is handed out."""

from __future__ import annotations

import dataclasses
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from app.jobs.records import JobKind, JobState, StateError
from app.requests import (
    AdapterUse,
    CompareRequest,
    GenerateRequest,
    GridAxes,
    ScoreRequest,
    TrainRequest,
)
from app.studio import Studio
from app.views import Upload
from trainer.adapters.config import AdapterConfig
from trainer.config import ASSETS, DreamBoothConfig, ModelConfig, OptimConfig, PreviewConfig
from trainer.dreambooth import train
from trainer.errors import ArtifactError, ConfigError
from trainer.run import Run

DRAW = GenerateRequest((AdapterUse("duck-1"),), ("a {unique_token} {class_token}",))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Two finished runs: the same base in two precisions, so two bases."""
    folder = tmp_path_factory.mktemp("trained")
    config = DreamBoothConfig(
        photos=ASSETS / "subjects" / "duck",
        base="embedded",
        workspace=folder,
        adapter=AdapterConfig(
            rank=2, alpha=2, num_directions=2, prelaunch_steps=1, target_modules=("attn2.to_k",)
        ),
        optim=OptimConfig(steps=2, batch_size=1),
        preview=PreviewConfig(every=2, num_inference_steps=1, seeds=(0,)),
    )

    def run(name: str, precision: Any) -> Run:
        model = ModelConfig(device="cpu", precision=precision)
        return train(dataclasses.replace(config, run=folder / name, model=model))

    return {"duck-1": run("duck-1", "fp32"), "duck-bf16-1": run("duck-bf16-1", "bf16")}


@pytest.fixture
def runs(studio: Studio, trained: dict[str, Run]) -> Studio:
    """The studio with both runs in its workspace."""
    for name, run in trained.items():
        shutil.copytree(run.path, studio.workspace.run(name))
    return studio


def test_a_run_is_shown_with_its_base_steps_and_checkpoints(runs: Studio) -> None:
    views = {view.name: view for view in runs.runs()}
    duck = views["duck-1"]
    assert (duck.subject, duck.method, duck.state, duck.steps) == (
        "duck",
        "lora-tsd",
        "succeeded",
        2,
    )
    assert duck.checkpoints == [2] and duck.scores is None and duck.finished_at
    assert duck.base_fingerprint and duck.base_fingerprint != views["duck-bf16-1"].base_fingerprint
    assert [path.name for path in runs.previews("duck-1")][-1] == "step-000002-seed-0.png"
    kinds = [row["kind"] for row in runs.metrics("duck-1", after_step=1)]
    assert kinds.count("step") == 1 and "checkpoint" in kinds


def test_a_damaged_or_reserved_folder_hides_no_other_run(runs: Studio) -> None:
    runs.workspace.run("reserved").mkdir()
    (runs.workspace.run("broken")).mkdir()
    (runs.workspace.run("broken") / "config.json").write_text("{")
    assert {view.name for view in runs.runs()} == {"duck-1", "duck-bf16-1"}


def test_exports_are_the_adapters_and_a_zip_without_photos_and_checkpoints(runs: Studio) -> None:
    for what in ("diffusers", "kohya"):
        with safe_open(runs.export("duck-1", what), "numpy") as file:
            assert file.metadata()["dashbooth.method"] == "lora-tsd"
    with zipfile.ZipFile(runs.export("duck-1", "bundle")) as bundle:
        names = set(bundle.namelist())
    assert {"duck-1/native.safetensors", "duck-1/config.json"} <= names
    assert not [name for name in names if "/photos/" in name or "/checkpoints/" in name]


def test_pictures_scores_and_comparisons_become_jobs(runs: Studio) -> None:
    shutil.copytree(runs.workspace.run("duck-1"), runs.workspace.run("duck-2"))
    jobs = [
        runs.generate(DRAW),
        runs.score(ScoreRequest("duck-1", checkpoints=True)),
        runs.compare(CompareRequest(("duck-1", "duck-2"))),
    ]
    assert [job.kind for job in jobs] == [JobKind.GENERATE, JobKind.SCORE, JobKind.COMPARE]
    assert {job.state for job in jobs} == {JobState.QUEUED}
    assert [job.run for job in jobs] == ["duck-1", "duck-1", None]
    assert [job.id for job in runs.history()] == [jobs[0].id]
    assert runs.duplicate(jobs[0].id, {"seeds": [9]}).request["seeds"] == [9]


def test_adapters_of_different_bases_are_refused_by_name(runs: Studio) -> None:
    both = ("duck-1", "duck-bf16-1")
    with pytest.raises(ConfigError, match="duck-1 on embedded, duck-bf16-1 on embedded"):
        runs.compare(CompareRequest(both))
    with pytest.raises(ConfigError, match="different bases"):
        runs.generate(dataclasses.replace(DRAW, adapters=tuple(map(AdapterUse, both))))


def test_an_unfinished_run_cannot_be_drawn_with_and_says_so(runs: Studio) -> None:
    runs.workspace.run("duck-1").joinpath("adapter.safetensors").unlink()
    with pytest.raises(StateError, match="duck-1: has no adapter yet"):
        runs.generate(DRAW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompts": ()}, "prompts"),
        ({"prompts": (" ",)}, "prompts"),
        ({"prompts": ("x" * 3000,)}, "prompts"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"seeds": tuple(range(1001))}, "pictures"),
        ({"grid": GridAxes(tuple(map(float, range(2, 9))), tuple(range(100)))}, "pictures"),
        ({"steps": 0}, "steps"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"width": 100}, "width"),
        ({"height": 4096}, "height"),
        ({"adapters": (AdapterUse("duck-1", scale=float("inf")),)}, "scale"),
        ({"adapters": ()}, "adapters"),
    ],
)
def test_a_picture_out_of_bounds_is_refused_before_it_is_queued(
    runs: Studio, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: needed is"):
        runs.generate(dataclasses.replace(DRAW, **changes))
    assert runs.jobs() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adapters": (AdapterUse("duck-1", checkpoint=999),)}, "no checkpoint of step 999; kept "),
        ({"grid": GridAxes((1.0,), (2, 7))}, "duck-1 keeps no checkpoint of step 7; kept are: 2"),
        ({"adapters": (AdapterUse("duck-1"), AdapterUse("duck-1", 0.5))}, "duck-1 is there twice"),
    ],
)
def test_pictures_that_could_only_fail_are_refused_before_they_are_queued(
    runs: Studio, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        runs.generate(dataclasses.replace(DRAW, **changes))
    assert runs.jobs() == []


def test_a_picture_job_is_called_by_what_it_draws(runs: Studio) -> None:
    grid = GridAxes((0.5, 1.0), (2,))
    asked = {"8 pictures": {}, "1 picture": {"seeds": (3,), "beside_base": False},
             "12 pictures": {"grid": grid}}  # fmt: skip
    for title, changes in asked.items():
        job = runs.generate(dataclasses.replace(DRAW, **changes))
        assert job.title == f"{title} · duck-1"


def test_runs_without_directions_are_not_compared_and_not_offered(runs: Studio) -> None:
    shutil.copytree(runs.workspace.run("duck-1"), runs.workspace.run("plain"))
    plain = Run(runs.workspace.run("plain"))
    config = plain.read_config()
    adapter = dataclasses.replace(config.adapter, method="lora")
    plain.write_config(dataclasses.replace(config, adapter=adapter))
    with pytest.raises(ConfigError, match="plain: method lora launches no directions"):
        runs.compare(CompareRequest(("duck-1", "plain")))
    assert "plain" not in [run.name for run in runs.comparable_runs()]
    plain.write_config(config)
    with safe_open(plain.native, "numpy") as file:
        kept = {name: file.get_tensor(name) for name in file.keys() if "direction" not in name}
    save_file(kept, plain.native)
    with pytest.raises(ConfigError, match="plain: it has not launched"):
        runs.compare(CompareRequest(("duck-1", "plain")))
    assert runs.jobs() == []


def test_methods_are_compared_on_the_same_seeds_or_not_at_all(
    studio: Studio, duck: list[Upload]
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck)
    request = TrainRequest(subject.slug, "demo", settings={"optim": {"steps": 10}})
    with pytest.raises(ConfigError, match="lora-sdt"):
        studio.compare_methods(request, ["lora", "lora-sdt"])
    assert studio.jobs() == []
    jobs = studio.compare_methods(request, ["lora", "lora-tsd"], seeds=(0, 1))
    assert len({job.run for job in jobs}) == 4 and len({job.group for job in jobs}) == 1
    chosen = [job.request["settings"] for job in jobs]
    assert [row["adapter"]["method"] for row in chosen] == ["lora", "lora-tsd"] * 2
    assert [row["optim"] for row in chosen] == [{"steps": 10, "seed": s} for s in (0, 0, 1, 1)]
    table = studio.method_table(jobs[0].group or "")
    assert table["rows"] == [] and len(table["unfinished"]) == 4
    with pytest.raises(StateError, match="need the subject duck"):
        studio.delete_subject("duck")


@pytest.mark.parametrize(
    ("methods", "seeds"),
    [([], [0]), (["lora"], []), (["lora"] * 2, [0]), (["lora"], [0, 0]), (["lora"], range(101))],
)
def test_a_comparison_is_of_some_trainings_each_once(
    studio: Studio, methods: list[str], seeds: Sequence[int]
) -> None:
    with pytest.raises(ConfigError, match="at most 100 trainings"):
        studio.compare_methods(TrainRequest("duck"), methods, seeds)


def test_the_table_of_no_comparison_is_not_there(studio: Studio) -> None:
    with pytest.raises(ArtifactError, match="no comparison of methods"):
        studio.method_table("x")


def test_a_run_in_use_is_not_deleted(runs: Studio) -> None:
    shutil.copytree(runs.workspace.run("duck-1"), runs.workspace.run("duck-2"))
    both = tuple(map(AdapterUse, ("duck-2", "duck-1")))
    for ask in (
        lambda: runs.generate(DRAW),
        lambda: runs.generate(dataclasses.replace(DRAW, adapters=both)),
        lambda: runs.compare(CompareRequest(("duck-1", "duck-2"))),
    ):
        job = ask()
        with pytest.raises(StateError, match=rf"the run duck-1 \({job.id}\): cancel them first"):
            runs.delete_run("duck-1")
        runs.cancel(job.id)
    runs.delete_run("duck-1")
    with pytest.raises(ArtifactError, match="no run"):
        runs.run("duck-1")


def test_everything_is_deleted_but_bases_and_tokens(runs: Studio, duck: list[Upload]) -> None:
    runs.create_subject("Duck", "duck", uploads=duck)
    (runs.workspace.bases / "mine.safetensors").write_bytes(b"x")
    token, _ = runs.create_token("script")
    job = runs.generate(DRAW)
    with pytest.raises(StateError, match="1 waiting or running jobs"):
        runs.delete_everything()
    runs.cancel(job.id)
    runs.delete_everything()
    assert runs.subjects() == runs.runs() == runs.jobs() == []
    assert runs.tokens() == [token] and (runs.workspace.bases / "mine.safetensors").exists()
    left = [path for path in runs.workspace.root.rglob("*.png")]
    assert left == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "config.json", "a\0b", ""])
def test_only_pictures_of_a_run_are_handed_out(runs: Studio, name: str) -> None:
    with pytest.raises(ArtifactError, match="has no picture"):
        runs.run_picture("duck-1", name)


def test_only_caches_of_ours_are_deleted(studio: Studio) -> None:
    (studio.workspace.cache / "decompositions").mkdir()
    for name in ("..", "../runs", "/", "nothing"):
        with pytest.raises(ArtifactError, match="possible: decompositions"):
            studio.delete_cache(name)
    studio.delete_cache("decompositions")
    assert not list(studio.workspace.cache.iterdir())


def test_a_report_for_a_bug_names_no_one(studio: Studio, tmp_path: Path) -> None:
    studio.create_subject("Secret Name", "dog")
    report = studio.bug_report()
    assert "python" in report and "Secret Name" not in report and str(tmp_path) not in report
