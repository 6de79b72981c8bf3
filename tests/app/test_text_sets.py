"""Labelled texts: what the trainers' readers take is kept, everything else is refused in words."""

from __future__ import annotations

import json
from io import BytesIO

import pytest

from app.jobs.records import JobKind, StateError
from app.studio import Studio
from app.text_intake import MAX_FILE_BYTES
from app.views import Upload
from trainer.data.glue import DEMO_FOLDER, TASKS, read_task, read_tsv
from trainer.data.instruct import DEMO_FILE, read_items
from trainer.errors import ArtifactError, DataError

PAIRS = "sentence1\tsentence2\tlabel\nIt rains.\tIt is wet.\tentailment\nA\tB\tnot_entailment\n"
ITEM = {"instruction": "Say yes.", "output": "yes"}


def upload(text: str, name: str = "mine.tsv") -> Upload:
    return Upload(name, text.encode())


def lines(*items: object) -> Upload:
    return upload("".join(json.dumps(item) + "\n" for item in items), "mine.jsonl")


def test_a_task_s_rows_come_back_as_the_reader_gave_them(studio: Studio) -> None:
    files = [Upload(f"{part}.tsv", (DEMO_FOLDER / f"{part}.tsv").read_bytes())
             for part in ("train", "dev")]  # fmt: skip
    made = studio.texts.create_set("My Reviews", "demo", *files)
    assert (made.id, made.recipe, made.task, made.source) == (
        "my-reviews", "glue", "demo", "uploaded",
    )  # fmt: skip
    assert (made.train, made.test) == (200, 60)
    folder, task = str(studio.workspace.text_set(made.id)), TASKS["demo"]
    for split in ("train", "dev"):
        assert read_task(folder, task, split) == read_task(str(DEMO_FOLDER), task, split)  # type: ignore[arg-type]
    assert studio.texts.sets()[0] == studio.texts.set("my-reviews") == made


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("rte", PAIRS),
        ("qnli", PAIRS.replace("sentence1\tsentence2", "question\tsentence")),
        ("mnli", "sentence1\tsentence2\tgold_label\nA\tB\tneutral\nA \"b\t'c\tentailment\n"),
        ("stsb", "sentence1\tsentence2\tscore\nA\tB\t2.5\nA\tC\t5\n"),
        ("cola", "gj04\t1\t\tThe cat sat.\ngj04\t0\t*\tSat cat the.\n"),
        ("mrpc", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\tA\tB\n0\t2\t3\tA\tC\n"),
    ],
)
def test_every_task_s_own_form_is_kept_in_a_form_that_its_reader_takes(
    studio: Studio, task: str, text: str
) -> None:
    made = studio.texts.create_set("x", task, upload(text), upload(text))
    theirs = studio.workspace.root / "theirs.tsv"
    theirs.write_text(text, "utf-8")
    rows = read_tsv(theirs, TASKS[task])
    folder = str(studio.workspace.text_set(made.id))
    assert read_task(folder, TASKS[task], "train") == rows == read_task(folder, TASKS[task], "dev")


def test_items_that_name_their_split_are_two_parts(studio: Studio) -> None:
    made = studio.texts.create_set("Items", "instructions", Upload("x", DEMO_FILE.read_bytes()))
    folder = studio.workspace.text_set(made.id)
    assert made.recipe == "llm" and made.task is None
    for split in ("train", "test"):
        assert read_items(folder, split) == read_items(DEMO_FILE, split)  # type: ignore[arg-type]
    assert (made.train, made.test) == (141, 59)


def test_an_item_that_names_no_split_is_learnt_and_scores_nothing(studio: Studio) -> None:
    test = [json.loads(line) for line in DEMO_FILE.read_text("utf-8").splitlines()
            if json.loads(line)["split"] == "test"][:2]  # fmt: skip
    made = studio.texts.create_set("Mixed", "instructions", lines(ITEM, ITEM, *test))
    assert (made.train, made.test) == (2, 2)
    kept = read_items(studio.workspace.text_set(made.id), "test")
    assert [item.instruction for item in kept] == [row["instruction"] for row in test]


def test_items_without_splits_are_to_train_on_only(studio: Studio) -> None:
    made = studio.texts.create_set("Items", "instructions", lines(ITEM, ITEM))
    assert (made.train, made.test) == (2, 0)


@pytest.mark.parametrize(
    ("task", "sent", "words"),
    [
        ("rte", upload("a\tb\n1\t2\n"), "mine.tsv: its first line should name"),
        ("rte", upload(PAIRS + "A\tB\tperhaps\n"), "mine.tsv, line 4: the label 'perhaps'"),
        ("rte", upload("sentence1\tsentence2\nA\tB\n"), "mine.tsv: has no column of labels"),
        ("rte", upload(PAIRS + "A\tB\t-1\n"), "mine.tsv, line 4: has no label"),
        ("rte", upload(PAIRS + "A\tB entailment\n"), "mine.tsv, line 4: has 2 of the 3 columns"),
        ("stsb", upload("sentence1\tsentence2\tscore\nA\tB\tnan\n"), "line 2: the label 'nan'"),
        ("stsb", upload("sentence1\tsentence2\tscore\nA\tB\t99\n"), "a number from 0 to 5"),
        ("rte", Upload("../x.tsv", b"\xff\xfe"), "x.tsv: cannot be read as UTF-8"),
        ("instructions", upload("{", "i.json"), "i.json: not understood as JSON"),
        ("instructions", lines(ITEM, {"instruction": "x"}), "mine.jsonl, item 2: needs the texts"),
        ("instructions", lines({**ITEM, "output": "\ud800"}), "half a character"),
        ("instructions", lines(ITEM, {**ITEM, "input": 3}), "mine.jsonl, item 2: input is 3"),
        ("instructions", lines({**ITEM, "split": "train"}, {**ITEM, "split": "test", "output": ""}),
         "mine.jsonl, item 2: needs the texts"),
        ("instructions", lines({**ITEM, "split": "train"}, {**ITEM, "split": "test"}),
         "mine.jsonl, item 2: 'Say yes.' has no options to compare"),
        ("instructions", upload("[" * 100_000), "nested too deeply"),
        ("instructions", Upload("big", BytesIO(b"x" * (MAX_FILE_BYTES + 1))), "larger than 64 MiB"),
        ("wnli", upload(PAIRS), "possible: instructions, cola"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_refused_by_its_own_name_and_leaves_nothing(
    studio: Studio, task: str, sent: Upload, words: str
) -> None:
    with pytest.raises(DataError) as error:
        studio.texts.create_set("mine", task, sent)
    assert words in str(error.value)
    assert str(studio.workspace.root) not in str(error.value)
    assert list(studio.workspace.texts.iterdir()) == []


def test_items_to_score_by_need_choices_and_those_to_learn_from_do_not(studio: Studio) -> None:
    with pytest.raises(DataError, match=r"mine\.jsonl, item 1: .*learnt from but not scored"):
        studio.texts.create_set("mine", "instructions", lines(ITEM), lines(ITEM))
    assert studio.texts.create_set("mine", "instructions", lines(ITEM)).train == 1


def test_a_set_without_any_file_is_refused(studio: Studio) -> None:
    with pytest.raises(DataError, match="texts to train on, texts to score by, or both"):
        studio.texts.create_set("mine", "rte")


def test_names_never_meet_each_other_or_those_that_everybody_has(studio: Studio) -> None:
    names = [studio.texts.create_set(name, "rte", upload(PAIRS)).id
             for name in ("Mine", "mine!", "glue demo", "../../etc", "日本")]  # fmt: skip
    assert names == ["mine", "mine-2", "glue-demo-2", "etc", "texts"]


def test_the_place_of_a_deleted_set_is_not_taken_again(studio: Studio) -> None:
    first = studio.texts.create_set("Mine", "rte", upload(PAIRS))
    studio.texts.delete_set(first.id)
    assert studio.texts.create_set("Mine", "rte", upload(PAIRS)).id == f"{first.id}-2"
    with pytest.raises(ArtifactError):
        studio.texts.set(first.id)


def test_what_everybody_has_is_listed_and_stays(studio: Studio) -> None:
    views = {view.id: view for view in studio.texts.sets()}
    assert views["glue-demo"].train == 200 and views["commonsense-demo"].test == 59
    assert views["hub-sst2"].train is None and views["hub-sst2"].source == "hub"
    for name in ("glue-demo", "hub-sst2"):
        with pytest.raises(DataError, match="for everybody and stays"):
            studio.texts.delete_set(name)


def test_texts_in_use_are_not_deleted(studio: Studio) -> None:
    made = studio.texts.create_set("mine", "rte", upload(PAIRS))
    job = studio.queue.submit(JobKind.TEXT_TRAIN, "t", {"data": made.id})
    with pytest.raises(StateError, match="need the texts mine"):
        studio.texts.delete_set(made.id)
    studio.cancel(job.id)
    studio.texts.delete_set(made.id)
    with pytest.raises(ArtifactError, match="no texts 'mine'"):
        studio.texts.set(made.id)
