"""The table of methods: scores, parameters, time and memory beside each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from app.jobs.records import JobKind
from app.studio import Studio
from app.tabs.method_rows import method_page
from trainer.run import Run

FinishedRun = Callable[[Path, str, float, float], Run]


def test_each_method_has_its_scores_numbers_time_and_memory(
    studio: Studio, finished_run: FinishedRun
) -> None:
    for method, clip_i in (("lora", 0.5), ("lora-tsd", 0.6)):
        finished_run(studio.workspace.run(method), method, clip_i, 40.0)
        studio.queue.submit(JobKind.TRAIN, method, {"subject": "duck"}, run=method, group="g")
    page = method_page(studio, "g")
    head = re.findall(r'<th scope="col">(.*?)</th>', page)
    assert head == ["Method", "Runs (n)", "CLIP-I", "CLIP-I, held-out photos", "Trained numbers",
                    "Steps", "Time", "Peak memory"]  # fmt: skip
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in page.split("<tr>")[2:]]
    assert [row[0] for row in rows] == ["LoRA", "LoRA-TSD"]
    assert "60.0" in rows[1][2] and "50.0 … 70.0" in rows[1][2]
    assert rows[1][4:] == ["44", "3", "2 min", "3.00 GiB"]


def test_a_training_that_was_cancelled_is_not_awaited(studio: Studio) -> None:
    settings = {"adapter": {"method": "lora"}, "optim": {"seed": 1}}
    for name in ("a", "b"):
        studio.workspace.run(name).mkdir()
        request = {"subject": "duck", "settings": settings}
        job = studio.queue.submit(JobKind.TRAIN, name, request, run=name, group="g")
    studio.cancel(job.id)
    page = method_page(studio, "g")
    assert "LoRA, seed 1: cancelled" in page and "Not finished yet: a<" in page


def test_before_the_first_comparison_it_says_what_to_press(studio: Studio) -> None:
    assert "Choose methods and press the button" in method_page(studio, None)
