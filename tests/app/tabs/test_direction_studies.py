"""Studies of directions on the page: every number with its null, every figure with words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.jobs.records import JobKind
from app.studio import Studio
from app.tabs.direction_studies import studies_page
from trainer.files import write_json

NULL = {"mean": 0.5, "low": 0.4, "high": 0.6}


def held(value: float, null: dict[str, float] = NULL) -> dict[str, Any]:
    return {"mean": value, "sd": None, "seeds": [value], "null": null, "chance": 0.1}


def curve(value: float) -> dict[str, Any]:
    return {**held(value), "mean": [0.1, value], "seeds": [[0.1, value]], "smallest": 0.7}


def record() -> dict[str, Any]:
    lora = {"seeds": [0], "capture": {"precision": curve(0.9), "recall": curve(0.5)}}
    attention = {"capture": {"precision": curve(0.75), "recall": curve(0.25)}}
    names = ("DTSD in LTSD", "TSD in LTSD", "TSD in DTSD")
    tsd = {**lora, "alignment": {name: held(0.2) for name in names},
           "amplification": {"all": held(3.0)}}  # fmt: skip
    return {
        "full": "full-1", "task": "cola", "base": "<minilm>", "null_draws": 20,
        "change_rates": {"layers": {"a": {}}, "in_last_tenth": 0.77, "in_last_tenth_null": 0.82},
        "methods": {"lora": {**lora, "attention": attention}, "lora-tsd": tsd},
        "figures": [
            {"kind": "overview", "method": None, "file": "overview.png"},
            {"kind": "ablation", "method": "lora-dash", "file": "ablation.png"},
            {"kind": "capture", "method": "lora-tsd", "file": "lora-tsd/capture.png"},
        ],
    }  # fmt: skip


@pytest.fixture
def page(studio: Studio) -> str:
    job = studio.queue.submit(JobKind.DIRECTIONS, "directions", {})
    folder: Path = studio.directions.folder(job.id)
    assert studies_page(studio, job.id) == ""  # nothing before it is made
    for figure in record()["figures"]:
        path = folder / figure["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    write_json(folder / "directions.json", record())
    return str(studies_page(studio, job.id))


def test_each_number_stands_with_its_null_and_a_verdict(page: str) -> None:
    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")
    lora, attention, tsd, *_ = (re.findall(r"<td>(.*?)</td>", row) for row in rows)
    assert len(lora) == len(attention) == len(tsd) == 6
    precision, recall = lora[:2]
    assert "0.90" in precision and "random 0.40 … 0.60" in precision and "above" in precision
    assert "smallest σ 0.70" in precision and "smallest" not in tsd[2]
    assert "as random" in recall and lora[2] == "<span>–</span>"  # plain LoRA launches nothing
    assert "0.75" in attention[0] and "queries, keys, values alone" in rows[1]
    assert "below random" in tsd[2] and "3.00" in tsd[5]


def test_the_null_is_explained_and_what_was_typed_stays_text(page: str) -> None:
    assert "even a random one" in page and "20 a layer and seed" in page
    assert "&lt;minilm&gt;" in page


def test_figures_come_with_captions_and_downloads(page: str) -> None:
    for file in ("overview.png", "ablation.png", "capture.png", "directions.json"):
        assert f"Download {file}" in page
    assert page.index("Who finds them") < page.index("What matters for lora-dash")
    folded = page[page.index("<details") :]
    assert "Figures of lora-tsd" in folded and "each kept checkpoint (Fig. 3)" in folded


def test_a_job_that_is_not_there_shows_nothing(studio: Studio) -> None:
    assert studies_page(studio, "nobody") == ""
