"""Reading GLUE: the official files with their quirks, and plain files of one's own."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from trainer.data.glue import (
    DEMO_FOLDER,
    HUB,
    TASKS,
    LabelledText,
    Split,
    _from_row,
    read_task,
    read_tsv,
    task_named,
)
from trainer.errors import DataError


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_quotation_marks_are_characters_like_any_other(tmp_path: Path) -> None:
    path = written(tmp_path / "dev.tsv", 'sentence\tlabel\n"to the end\t1\nso "it" goes\t0\n')
    assert read_tsv(path, TASKS["sst2"]) == [
        LabelledText(('"to the end',), 1),
        LabelledText(('so "it" goes',), 0),
    ]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(tmp_path: Path) -> None:
    text = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tOne .\tTwo .\r\n"
    assert read_tsv(written(tmp_path / "dev.tsv", text), TASKS["mrpc"]) == [
        LabelledText(("One .", "Two ."), 1)
    ]


def test_characters_that_only_look_like_line_ends_stay_in_the_text(tmp_path: Path) -> None:
    path = written(tmp_path / "dev.tsv", "sentence\tlabel\na\x85b\u2028c\t1\n")
    assert read_tsv(path, TASKS["sst2"])[0].texts == ("a\x85b\u2028c",)


def test_cola_is_read_without_a_header_and_its_test_file_with_one(tmp_path: Path) -> None:
    bare = written(tmp_path / "dev.tsv", "gj04\t0\t*\tHim saw she.\ngj04\t1\t\tShe saw him.\n")
    test = written(tmp_path / "test.tsv", "index\tsentence\n0\tBill whistled.\n")
    assert [row.label for row in read_tsv(bare, TASKS["cola"])] == [0, 1]
    assert read_tsv(test, TASKS["cola"]) == [LabelledText(("Bill whistled.",), None)]


@pytest.mark.parametrize(
    ("task", "header", "row", "texts", "label"),
    [
        ("qqp", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "0\t1\t2\tA\tB\t1", "AB", 1),
        ("mnli", "index\tsentence1\tsentence2\tlabel1\tgold_label", "0\tA\tB\tneutral\tneutral",
         "AB", 1),
        ("qnli", "index\tquestion\tsentence\tlabel", "0\tA\tB\tnot_entailment", "AB", 1),
        ("rte", "index\tsentence1\tsentence2\tlabel", "0\tA\tB\tentailment", "AB", 0),
        ("stsb", "index\tgenre\tsentence1\tsentence2\tscore", "0\tx\tA\tB\t3.800", "AB", 3.8),
    ],
)  # fmt: skip
def test_every_task_finds_its_own_columns(
    tmp_path: Path, task: str, header: str, row: str, texts: str, label: float
) -> None:
    path = written(tmp_path / "dev.tsv", f"{header}\n{row}\n")
    assert read_tsv(path, TASKS[task]) == [LabelledText(tuple(texts), label)]


def test_a_file_of_ones_own_may_use_plain_columns_and_label_numbers(tmp_path: Path) -> None:
    pairs = written(tmp_path / "mine.tsv", "label\tsentence1\tsentence2\n2\tA\tB\n")
    assert read_tsv(pairs, TASKS["mnli"]) == [LabelledText(("A", "B"), 2)]


def test_a_copy_of_the_hubs_test_set_has_no_labels(tmp_path: Path) -> None:
    path = written(tmp_path / "test.tsv", "sentence\tlabel\nfine\t-1\n")
    assert read_tsv(path, TASKS["sst2"]) == [LabelledText(("fine",), None)]


QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"


def test_rows_that_line_ends_cut_in_glues_qqp_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"{QQP}0\t1\t2\tcut\n\tthe rest?\t0\n1\t2\t3\tA\tB\t0\n"
    path = written(tmp_path / "train.tsv", text)
    assert read_tsv(path, TASKS["qqp"], "train") == [LabelledText(("A", "B"), 0)]
    assert "left out 2 lines" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize(
    ("task", "text", "says"),
    [
        ("sst2", "sentence\tlabel\nfine\t1\n\nfine 1\n",
         "line 4: has 1 of the 2 columns sentence, label; given 'fine 1'.*a tab, not by spaces"),
        ("qqp", "question1\tquestion2\tis_duplicate\nA\tB 1\n", "line 2: has 2 of the 3 columns"),
        ("cola", "gj04\t1\t\tShe saw him.\ngj04 0\t*\tHim saw she.\n",
         "line 2: has 3 of the 4 columns source, label, star, sentence"),
    ],
)  # fmt: skip
def test_a_row_that_is_too_short_never_vanishes(
    tmp_path: Path, split: Split, task: str, text: str, says: str
) -> None:
    with pytest.raises(DataError, match=rf"{split}\.tsv, {says}"):
        read_tsv(written(tmp_path / f"{split}.tsv", text), TASKS[task], split)


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sentence\nfine\n", r"has no column of labels \(label\).*it has sentence.*labels: 0, 1"),
        ("sentence\tlabel\nfine\t1\nbad\t\n", "line 3: has no label .*: 'bad'.*possible: 0, 1"),
        ("sentence\tlabel\nfine\t-1\nbad\t-1\n", "line 2: has no label"),
    ],
)
def test_rows_to_learn_from_or_to_score_by_all_have_a_label(
    tmp_path: Path, split: Split, text: str, says: str
) -> None:
    written(tmp_path / f"{split}.tsv", text)
    with pytest.raises(DataError, match=rf"{split}\.tsv(, |: ){says}"):
        read_task(str(tmp_path), TASKS["sst2"], split)


def test_a_test_set_has_all_its_labels_or_none(tmp_path: Path) -> None:
    text = "sentence\tlabel\nfine\t\nbad\t{}\n"
    path = written(tmp_path / "test.tsv", text.format(""))
    assert [row.label for row in read_tsv(path, TASKS["sst2"])] == [None, None]
    written(path, text.format("0"))
    with pytest.raises(DataError, match=r"test\.tsv, line 2: has no label .*: 'fine'"):
        read_tsv(path, TASKS["sst2"])


@pytest.mark.parametrize("label", ["nan", "inf", "99", "-0.5", "5.001", "high"])
def test_numbers_of_sts_b_lie_between_0_and_5(tmp_path: Path, label: str) -> None:
    text = "sentence1\tsentence2\tscore\nA\tB\t{}\n"
    with pytest.raises(
        DataError, match=rf"line 2: the label '{label}' is none of stsb; possible: .* from 0 to 5"
    ):
        read_tsv(written(tmp_path / "dev.tsv", text.format(label)), TASKS["stsb"], "dev")
    for good in (0.0, 5.0):
        path = written(tmp_path / "dev.tsv", text.format(good))
        assert read_tsv(path, TASKS["stsb"], "dev")[0].label == good


@pytest.mark.parametrize(("task", "label"), [("sst2", -2), ("mnli", 3), ("stsb", 7.5)])
def test_labels_of_the_hub_are_checked_as_those_of_a_file(task: str, label: float) -> None:
    row = {"sentence": "A", "premise": "A", "hypothesis": "B", "sentence1": "A", "sentence2": "B"}
    with pytest.raises(DataError, match=rf"mine, row 3: the label '{label}' is none of {task}"):
        _from_row({**row, "label": label}, TASKS[task], "mine, row 3")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "sentence\tlabel\nfine\tmaybe\n",
            "line 2: the label 'maybe' is none of sst2; possible: 0",
        ),
        ("sentence\tlabel\nfine\t2\n", "the label '2' is none"),
        ("sentence\tlabel\nfine\t-2\n", "the label '-2' is none"),
        ("review\tlabel\nfine\t1\n", "name tab-separated columns .* it has review, label"),
        ("sentence\tlabel\n", "there is no row of sst2"),
        ("", "it has nothing"),
    ],
)
def test_a_wrong_file_is_told_with_what_it_should_hold(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        read_tsv(written(tmp_path / "dev.tsv", text), TASKS["sst2"])


def test_a_missing_split_and_an_unknown_task_say_what_is_possible(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"looked for .*RTE/dev.tsv and .*dev.tsv"):
        read_task(str(tmp_path), TASKS["rte"], "dev")
    with pytest.raises(DataError, match="possible: cola, sst2"):
        task_named("wnli")


def test_the_dev_set_of_mnli_is_the_matched_one(tmp_path: Path) -> None:
    text = "sentence1\tsentence2\tgold_label\nA\tB\tcontradiction\n"
    written(tmp_path / "MNLI" / "dev_matched.tsv", text)
    assert read_task(str(tmp_path), TASKS["mnli"], "dev")[0].label == 2


def test_without_the_hub_a_folder_is_named_as_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"nyu-mll/glue.*RTE/dev.tsv works without it"):
        read_task(HUB, TASKS["rte"], "dev")
    with pytest.raises(DataError, match="neither a folder nor a dataset"):
        read_task("/no/such/folder", TASKS["rte"], "dev")


def test_a_row_of_the_hub_has_its_own_columns_and_hides_test_labels_as_minus_one() -> None:
    row = {"premise": "A", "hypothesis": "B", "label": -1, "idx": 0}
    assert _from_row(row, TASKS["mnli"]) == LabelledText(("A", "B"), None)
    assert _from_row({**row, "label": 1}, TASKS["mnli"]).label == 1


def test_the_bundled_sentences_are_balanced_and_no_two_are_the_same() -> None:
    sets: dict[Split, int] = {"train": 200, "dev": 60}
    rows = {split: read_task(str(DEMO_FOLDER), TASKS["demo"], split) for split in sets}
    assert {split: len(found) for split, found in rows.items()} == sets
    for found in rows.values():
        assert Counter(row.label for row in found) == {0: len(found) // 2, 1: len(found) // 2}
    assert len({row.texts for found in rows.values() for row in found}) == 260


# Sizes as GLUE itself states them (the paper's Table 9 rounds them).
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("task", "split", "rows"),
    [("cola", "train", 8551), ("cola", "dev", 1043), ("sst2", "dev", 872), ("mrpc", "dev", 408),
     ("rte", "train", 2490), ("rte", "dev", 277), ("stsb", "train", 5749), ("stsb", "dev", 1500),
     ("qnli", "dev", 5463), ("sst2", "train", 67349), ("mrpc", "train", 3667)],
)  # fmt: skip
def test_the_official_files_have_their_official_sizes(
    shared_data: Path, task: str, split: Split, rows: int
) -> None:
    assert len(read_task(str(shared_data / "data" / "glue"), TASKS[task], split)) == rows


@pytest.mark.shared_data
def test_the_standard_librarys_reader_sees_the_same_rows(shared_data: Path) -> None:
    folder = shared_data / "data" / "glue"
    with (folder / "STS-B" / "dev.tsv").open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        expected = [
            LabelledText((row["sentence1"].strip(), row["sentence2"].strip()), float(row["score"]))
            for row in reader
        ]
    assert read_task(str(folder), TASKS["stsb"], "dev") == expected
