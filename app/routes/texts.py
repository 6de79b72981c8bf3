"""/texts, /text-bases, /text-runs, /text-comparisons: learning from texts, with its jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel

from app.jobs.records import Job
from app.routes.common import StudioNeeded, sent
from app.text_intake import MAX_FILE_BYTES
from app.text_requests import TextMethodsRequest, TextScoreRequest, TextTrainRequest
from app.text_runs import TextRunView
from app.text_scores import TextScores
from app.text_views import TextBase, TextSetView
from app.views import Estimate, Upload

MAX_UPLOAD_BYTES = 2 * MAX_FILE_BYTES + 2**20
"""Of both files in one request; each has its own limit as well."""

router = APIRouter(tags=["texts"])


class Cell(BaseModel):
    """One method with one seed."""

    run: str
    seed: int
    scores: dict[str, float]
    items: int
    """Answers that a measure is of."""
    one_answer: dict[str, float] = {}
    """Of instructions, by measure: the score of the most frequent right answer, given to all."""
    parameters: int
    """Trained numbers, a classifier's head left out."""
    head_parameters: int
    seconds: float
    """Of all steps together."""
    memory_gib: float


class ComparedMethod(BaseModel):
    method: str
    learning_rate: float | None = None
    """The rate that was chosen; null while none is."""
    held_out_loss: dict[str, float | str] = {}
    """By rate, on rows of the training set that no trial has seen."""
    cells: list[Cell] = []
    open: list[int]
    """Seeds without scores yet."""
    diverged: dict[str, str] = {}
    """By seed, why there will be none; the mean is of the others."""


class FailedCell(BaseModel):
    method: str
    seed: int
    state: str
    message: str


class MissingCell(BaseModel):
    method: str
    seed: int


class MethodsOnTexts(BaseModel):
    """A table as far as its cells are there."""

    asked: TextMethodsRequest
    methods: list[ComparedMethod]
    failed: list[FailedCell]
    """Of the open cells, those whose job ended badly; it can be tried again."""
    unqueued: list[MissingCell]
    """Of the open cells, those that no job will make until it is asked for one."""
    answers: dict[str, list[str]]
    """By the run of a cell, the scorings whose answers can be fetched: `own`, of a part of the
    items `first-500`, and with `generation` at its end what was read out of what was written."""


class ComparisonName(BaseModel):
    id: str
    """Also the `group` of its jobs."""
    asked: TextMethodsRequest


@router.get("/texts")
def list_texts(studio: StudioNeeded) -> list[TextSetView]:
    """Sets that were uploaded, those that come along, and GLUE's on the hub."""
    return studio.texts.sets()


@router.post("/texts", status_code=201, max_body_size=MAX_UPLOAD_BYTES)
def create_texts(
    studio: StudioNeeded,
    name: Annotated[str, Form()],
    task: Annotated[str, Form(description="A task of GLUE, or instructions")],
    train: Annotated[UploadFile | None, File(description="Rows to train on")] = None,
    test: Annotated[
        UploadFile | None, File(description="Rows to score: GLUE's dev set, or test items")
    ] = None,
) -> TextSetView:
    """A labelled set: GLUE's TSV of one task, or JSON (lines) of instruction, input, output."""
    return studio.texts.create_set(name, task, _upload(train), _upload(test))


@router.get("/texts/{set_id}")
def get_texts(studio: StudioNeeded, set_id: str) -> TextSetView:
    return studio.texts.set(set_id)


@router.delete("/texts/{set_id}", status_code=204)
def delete_texts(studio: StudioNeeded, set_id: str) -> None:
    studio.texts.delete_set(set_id)


@router.get("/text-bases")
def list_text_bases(studio: StudioNeeded) -> list[TextBase]:
    """The models that a training on texts may name."""
    return studio.texts.bases()


@router.post("/text-command", response_class=PlainTextResponse)
def text_command(studio: StudioNeeded, request: TextTrainRequest) -> str:
    """The headless command that trains the same."""
    return studio.texts.command_line(request)


@router.post("/text-estimate")
def text_estimate(studio: StudioNeeded, request: TextTrainRequest) -> Estimate:
    """How long a training on texts will take, before it is started."""
    return studio.texts.estimate(request)


@router.post("/text-methods-estimate")
def text_methods_estimate(studio: StudioNeeded, request: TextMethodsRequest) -> Estimate:
    """How long a comparison of methods will take one worker, before it is started."""
    return studio.texts.estimate_methods(request)


@router.post("/jobs/text-train", status_code=201)
def train_on_texts(studio: StudioNeeded, request: TextTrainRequest) -> Job:
    return studio.texts.train(request)


@router.post("/jobs/text-score", status_code=201)
def score_on_texts(studio: StudioNeeded, request: TextScoreRequest) -> Job:
    """With `test`, the file for GLUE's server; /text-runs/{name}/submissions then has it."""
    return studio.texts.score(request)


@router.post("/jobs/text-methods", status_code=201)
def compare_methods_on_texts(studio: StudioNeeded, request: TextMethodsRequest) -> list[Job]:
    """A job a cell, all of one `group`; /text-comparisons/{group} is their table."""
    return studio.texts.compare_methods(request)


@router.get("/text-runs")
def list_text_runs(studio: StudioNeeded) -> list[TextRunView]:
    """/runs has their metrics, export and deletion, as for every run."""
    return studio.texts.runs()


@router.get("/text-runs/{name}")
def get_text_run(studio: StudioNeeded, name: str) -> TextRunView:
    return studio.texts.run(name)


@router.get("/text-runs/{name}/scores")
def text_scores(studio: StudioNeeded, name: str) -> list[TextScores]:
    """By the run's own set and by others, each with its interval and n; empty while not scored."""
    return studio.texts.scores(name)


@router.get("/text-runs/{name}/scores/{scoring}/predictions")
def text_predictions(
    studio: StudioNeeded,
    name: str,
    scoring: str,
    rows: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> list[dict[str, Any]]:
    """The first rows of what was answered, beside what is right."""
    return studio.texts.predictions(name, scoring, rows)


@router.get("/text-runs/{name}/scores/{scoring}/predictions.jsonl", response_class=FileResponse)
def text_predictions_file(studio: StudioNeeded, name: str, scoring: str) -> FileResponse:
    """All that was answered, a JSON object a line."""
    return _predictions(name, studio.texts.predictions_file(name, scoring))


@router.get("/text-runs/{name}/submissions")
def text_submissions(studio: StudioNeeded, name: str) -> list[str]:
    """Names of the files for GLUE's server that the run has made, such as RTE.tsv."""
    return studio.texts.submissions(name)


@router.get("/text-runs/{name}/submissions/{file}", response_class=FileResponse)
def text_submission(studio: StudioNeeded, name: str, file: str) -> FileResponse:
    """One of them, by the name that the server wants."""
    return sent(studio.texts.submission_file(name, file), download=True)


@router.get("/text-comparisons")
def list_text_comparisons(studio: StudioNeeded) -> list[ComparisonName]:
    return [
        ComparisonName(id=found.id, asked=found.request) for found in studio.texts.comparisons()
    ]


@router.get("/text-comparisons/{comparison_id}")
def text_comparison(studio: StudioNeeded, comparison_id: str) -> MethodsOnTexts:
    """A row a method: rate, scores, parameters, time and memory of each seed's cell."""
    return MethodsOnTexts.model_validate(studio.texts.comparison(comparison_id))


@router.post("/text-comparisons/{comparison_id}/jobs", status_code=201)
def queue_missing_cells(studio: StudioNeeded, comparison_id: str) -> list[Job]:
    """A job for each cell that is `unqueued`, such as where its job was deleted."""
    return studio.texts.queue_cells(comparison_id)


@router.get("/text-comparisons/{comparison_id}/table.csv", response_class=PlainTextResponse)
def text_comparison_csv(studio: StudioNeeded, comparison_id: str) -> PlainTextResponse:
    """The same as a file: a line a method, means and standard deviations over seeds."""
    name = f"methods-{comparison_id}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = studio.texts.comparison_csv(comparison_id)
    return PlainTextResponse(text, headers=headers, media_type="text/csv")


@router.get(
    "/text-comparisons/{comparison_id}/cells/{run}/scores/{scoring}/predictions.jsonl",
    response_class=FileResponse,
)
def cell_predictions_file(
    studio: StudioNeeded, comparison_id: str, run: str, scoring: str
) -> FileResponse:
    """All that a scored cell answered, a JSON object a line."""
    return _predictions(run, studio.texts.cell_predictions_file(comparison_id, run, scoring))


@router.delete("/text-comparisons/{comparison_id}", status_code=204)
def delete_text_comparison(studio: StudioNeeded, comparison_id: str) -> None:
    studio.texts.delete_comparison(comparison_id)


def _predictions(run: str, path: Path) -> FileResponse:
    """Saved under the run's name: the files of several runs are called alike."""
    return sent(path, download=True, name=f"{run}-{path.name}")


def _upload(file: UploadFile | None) -> Upload | None:
    """None too for the empty part that a form without a file sends."""
    if file is None or not file.filename:
        return None
    return Upload(file.filename, file.file)
