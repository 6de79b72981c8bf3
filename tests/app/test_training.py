"""One request, one config: what a client may say, and the same thing as a command."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from app.jobs.policy import Policy
from app.jobs.reconcile import show_life
from app.requests import TrainRequest
from app.studio import Studio
from app.views import SubjectView, Upload
from trainer.config import SDXL_BASE
from trainer.errors import BaseModelError, ConfigError, PhotoError
from trainer.train_dreambooth import SCRIPT

SETTINGS = {
    "optim": {"steps": 20, "betas": [0.8, 0.99]},
    "adapter": {"method": "lora-dash", "target_modules": ["attn2.to_k", "attn2.to_v"]},
    "subject": {"flip": True, "aspect_buckets": False},
    "preview": {"prompt": 'a {unique_token}\'s "hat" & more; $HOME', "seeds": [3]},
}


@pytest.fixture
def subject(studio: Studio, duck: list[Upload]) -> SubjectView:
    return studio.create_subject("Duck", "duck", uploads=duck, alpha_color="#102030")


def test_settings_lie_on_the_preset_and_paths_are_the_servers(
    studio: Studio, subject: SubjectView
) -> None:
    config = studio.config_of(TrainRequest(subject.slug, "demo", settings=SETTINGS))
    assert (config.base, config.adapter.rank) == ("embedded", 8)
    assert (config.optim.steps, config.adapter.method) == (20, "lora-dash")
    assert config.photos == studio.workspace.subject(subject.slug)
    assert config.subject.alpha_color == "#102030"


@pytest.mark.parametrize("preset", ["default", "demo", "paper", "low-vram"])
def test_the_command_shown_is_read_as_the_same_config(
    studio: Studio, subject: SubjectView, preset: Any
) -> None:
    settings = SETTINGS if preset == "demo" else {}
    request = TrainRequest(subject.slug, preset, settings=settings)
    words = shlex.split(studio.command_line(request))
    assert words[:2] == ["python", "trainer/train_dreambooth.py"]
    assert SCRIPT.parse(words[2:]).settings == studio.config_of(request)


@pytest.mark.parametrize(
    "settings",
    [
        {"photos": "/etc"},
        {"run": "/tmp/elsewhere"},
        {"workspace": "/"},
        {"base": "https://example.com/model"},
        {"model": {"vae": "/etc/passwd"}},
        {"model": {"vae": None}},
    ],
)
def test_what_the_server_decides_a_client_cannot_say(
    studio: Studio, subject: SubjectView, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="set by the studio"):
        studio.config_of(TrainRequest(subject.slug, "demo", settings=settings))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"optim": {"steps": 10**400}}, "optim.steps"),
        ({"optim": {"learning_rate": float("nan")}}, "optim.learning_rate"),
        ({"preview": {"seeds": [0, 10**30]}}, "preview.seeds"),
        ({"optim": {"stepz": 3}}, "stepz"),
        ({"optim": 3}, "optim"),
        ({"adapter": {"rank": "16"}}, "adapter.rank"),
        ({"subject": {"alpha_color": "zzz"}}, "The colour is 'zzz'"),
        ({"adapter": {"prelaunch_steps": 1000}}, "prelaunch-steps"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    studio: Studio, subject: SubjectView, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        studio.train(TrainRequest(subject.slug, "demo", settings=settings))
    assert studio.jobs() == []


@pytest.mark.parametrize(
    "base",
    [
        "/etc",
        "../../etc",
        "https://example.com/x",
        "file:///etc",
        "bases/../queue",
        "someone/model",
    ],
)
def test_a_base_outside_the_list_is_refused(
    studio: Studio, subject: SubjectView, base: str
) -> None:
    with pytest.raises(BaseModelError, match="not in the list"):
        studio.config_of(TrainRequest(subject.slug, base=base))


def test_the_default_base_is_sdxl(studio: Studio, subject: SubjectView) -> None:
    assert studio.config_of(TrainRequest(subject.slug)).base == SDXL_BASE


@pytest.mark.parametrize(
    ("preset", "settings", "words"),
    [
        ("paper", {}, "precision fp16 does not train on a CPU"),
        ("demo", {"optim": {"optimizer": "adamw-8bit"}}, "adamw-8bit needs a GPU"),
        ("demo", {"model": {"device": "cuda"}}, "device cuda does not run here"),
    ],
)
def test_what_needs_a_gpu_is_refused_where_no_worker_has_one(
    studio: Studio,
    subject: SubjectView,
    monkeypatch: pytest.MonkeyPatch,
    preset: Any,
    settings: dict[str, Any],
    words: str,
) -> None:
    request = TrainRequest(subject.slug, preset, settings=settings)
    monkeypatch.setattr("app.device_check.has_gpu", lambda: False)
    with pytest.raises(ConfigError, match=f"No worker has a GPU.\n--.*{words}"):
        studio.train(request)
    with pytest.raises(ConfigError, match=words):
        studio.compare_methods(request, ["lora", "lora-tsd"])
    assert studio.jobs() == []
    assert studio.command_line(request)  # it may be copied to a machine that has one
    worker = {"id": "far:0", "host": "far", "slot": 0, "pid": 1, "process": "", "warm": False}
    show_life(studio.queue.store, {**worker, "device": "cuda:0"}, Policy())
    assert studio.train(request).state == "queued"


def test_a_subject_without_photos_cannot_be_trained(studio: Studio) -> None:
    empty = studio.create_subject("Dog", "dog")
    with pytest.raises(PhotoError, match="no photos yet"):
        studio.train(TrainRequest(empty.slug, "demo"))
