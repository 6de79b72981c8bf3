"""The command line says what it does, and Ctrl-C loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer.config import BUNDLED_SUBJECT, PRESETS, SDXL_BASE
from trainer.train_dreambooth import SCRIPT as TRAINING

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, "trainer/train_dreambooth.py"]


def test_no_flags_mean_the_demo() -> None:
    assert TRAINING.parse([]).settings == PRESETS["demo"]


def test_photos_without_base_mean_sdxl_from_the_hub() -> None:
    settings = TRAINING.parse(["--photos", "dog", "--subject.class-token", "dog"]).settings
    assert settings.base == SDXL_BASE
    assert settings.photos == Path("dog")


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"adapter": {"rank": 3, "alpha": 3}, "optim": {"steps": 9}}))
    settings = TRAINING.parse(
        ["--preset", "paper", "--config", str(file), "--optim.steps", "7"]
    ).settings
    assert (settings.adapter.rank, settings.optim.steps) == (3, 7)
    assert settings.model.precision == "fp16"


def test_help_explains_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        TRAINING.parse(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for word in ("task-specific", "lora-tsd", "--adapter.prelaunch-steps", "fold", "--config"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--photos", "/nowhere", "--base", "embedded"], "/nowhere"),
        (["--optim.steps", "5"], "--photos"),
        (["--config", "/nowhere.json"], "/nowhere.json"),
        (["--resume", "/nowhere"], "/nowhere"),
        (["--base", "model.ckpt", "--photos", str(BUNDLED_SUBJECT)], "model.ckpt"),
    ],
)
def test_a_users_mistake_is_a_message_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TRAINING.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and says in shown and "Traceback" not in shown


def test_ctrl_c_saves_and_the_line_it_prints_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = [
        "--preset", "demo", "--run", str(run), "--workspace", str(tmp_path), "--optim.steps", "60",
        "--preview.every", "0", "--adapter.prelaunch-steps", "2", "--optim.batch-size", "1",
    ]  # fmt: skip
    process = subprocess.Popen(
        [*SCRIPT, *arguments], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 200
    while not (metrics.exists() and metrics.read_text().count("\n") > 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"--resume {run}" in errors
    done = subprocess.run(
        [*SCRIPT, "--resume", str(run)], cwd=ROOT, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    assert (run / "adapter.safetensors").exists()
