"""Instruction items: the formats of the eight sets, the two styles, what a wrong file is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.data.instruct import (
    COMMONSENSE,
    DEMO_FILE,
    Item,
    Style,
    candidates_of,
    completion_of,
    find_sets,
    prompt_of,
    read_items,
    require_apart,
    require_learnable,
)
from trainer.errors import DataError


def row(question: str, options: str, choices: str, answer: str) -> dict[str, str]:
    return {
        "instruction": f"{question}\n\n{options}Answer format: {choices}",
        "input": "",
        "output": f"the correct answer is {answer}",
        "answer": answer,
    }


BEES = row(
    "Please choose the correct answer to the question: What do bees make?",
    "Answer1: silk Answer2: honey Answer3: milk\n\n", "answer1/answer2/answer3", "answer2",
)  # fmt: skip


def item_of(tmp_path: Path, *rows: dict[str, str]) -> Item:
    path = tmp_path / "items.json"
    path.write_text(json.dumps(rows), "utf-8")
    return read_items(path)[0]


def test_the_paper_trains_the_label_after_the_alpaca_prompt(tmp_path: Path) -> None:
    item = item_of(tmp_path, BEES)
    assert prompt_of(item) == (
        "Below is an instruction that describes a task. Write a response that appropriately "
        f"completes the request.\n\n### Instruction:\n{BEES['instruction']}\n\n### Response:\n"
    )
    assert completion_of(item) == "the correct answer is answer2"
    assert candidates_of(item)[2] == "the correct answer is answer3"
    assert item.choices == ("answer1", "answer2", "answer3")


def test_an_input_has_its_own_heading() -> None:
    item = Item("Sum up.", "A long text.", "Short.", "Short.", ())
    assert prompt_of(item).startswith(
        "Below is an instruction that describes a task, paired with an input that provides further "
        "context. Write"
    )
    assert "### Instruction:\nSum up.\n\n### Input:\nA long text.\n\n### Response:\n" in prompt_of(
        item
    )


@pytest.mark.parametrize(
    ("given", "prompt", "candidates", "completion"),
    [
        (BEES, "Question: What do bees make?\nAnswer:", (" silk", " honey", " milk"), " honey"),
        (row("Please answer the following question with true or false, question: is ice cold?", "",
             "true/false", "true"),
         "Question: is ice cold?\nAnswer:", (" true", " false"), " true"),
        (row("Please choose the correct solution to the question: To cool tea?",
             "Solution1: Add ice. Solution2: Add fire.\n\n", "solution1/solution2", "solution1"),
         "Question: To cool tea?\nAnswer:", (" Add ice.", " Add fire."), " Add ice."),
        (row("Please choose the correct answer to fill in the blank to complete the given "
             "sentence: The _ barked.", "Option1: dog Option2: cat ", "option1/option2", "option1"),
         "Question: The _ barked.\nAnswer:", (" dog", " cat"), " dog"),
        (row("Please choose the correct ending to complete the given sentence: Baking: He",
             "Ending1: eats. Ending2: flies.\n\n", "ending1/ending2", "ending2"),
         "Question: Baking: He\nAnswer:", (" eats.", " flies."), " flies."),
    ],
)  # fmt: skip
def test_the_style_texts_asks_plainly_and_compares_the_options_texts(
    tmp_path: Path,
    given: dict[str, str],
    prompt: str,
    candidates: tuple[str, ...],
    completion: str,
) -> None:
    item = item_of(tmp_path, given)
    assert prompt_of(item, "texts") == prompt
    assert candidates_of(item, "texts") == candidates
    assert completion_of(item, "texts") == completion


def test_json_lines_are_read_as_well_and_a_split_is_chosen_by_its_field(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    rows = [{**BEES, "split": "train"}, {**BEES, "split": "test", "answer": "answer1"}, BEES]
    path.write_text("".join(json.dumps(found) + "\n" for found in rows), "utf-8")
    assert [item.answer for item in read_items(path, "test")] == ["answer1", "answer2"]
    assert [item.answer for item in read_items(path)] == ["answer2", "answer2"]


def test_a_folder_of_sets_is_merged_and_each_can_be_told(tmp_path: Path) -> None:
    for name in ("boolq", "piqa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.json").write_text(json.dumps([BEES]), "utf-8")
    (tmp_path / "boolq" / "train.json").write_text(json.dumps([BEES]), "utf-8")
    assert list(find_sets(tmp_path, "test")) == ["boolq", "piqa"]
    assert len(read_items(tmp_path, "test")) == 2
    assert list(find_sets(tmp_path / "boolq", "train")) == ["boolq"]
    assert list(find_sets(tmp_path / "boolq" / "test.json", "test")) == ["boolq"]


def test_choices_come_from_the_set_where_the_instruction_does_not_tell_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "boolq").mkdir()
    told = {"instruction": "Is ice cold?", "output": "true", "answer": "true"}
    (tmp_path / "boolq" / "test.json").write_text(json.dumps([told]), "utf-8")
    assert read_items(tmp_path, "test")[0].choices == COMMONSENSE["boolq"]


STYLES: tuple[Style, Style] = ("labels", "texts")


def test_items_without_choices_are_learnt_in_either_style_by_their_output_as_given(
    tmp_path: Path,
) -> None:
    asked = "Please answer briefly: name a colour."
    item = item_of(tmp_path, {"instruction": asked, "input": "Warm.", "output": "Red."})
    assert (item.answer, item.choices) == ("Red.", ())
    require_learnable([item], "labels")
    require_learnable([item], "texts")
    assert completion_of(item) == "Red."
    assert prompt_of(item, "texts") == f"Question: {asked}\n\nWarm.\nAnswer:"
    assert completion_of(item, "texts") == " Red."


@pytest.mark.parametrize("style", STYLES)
def test_only_scoring_needs_choices_and_says_how_they_are_written(
    tmp_path: Path, style: Style
) -> None:
    item = item_of(tmp_path, {"instruction": "Name a colour.", "output": "Red."})
    with pytest.raises(DataError) as error:
        candidates_of(item, style)
    assert str(error.value).startswith(f"{tmp_path}/items.json, item 1: 'Name a colour.' has no")
    for words in ("can be learnt from but not scored", "Answer format: answer1/answer2"):
        assert words in str(error.value)


def test_choices_whose_texts_are_missing_are_learnt_by_label_alone(tmp_path: Path) -> None:
    bare = row("Please choose: What do bees make?", "", "answer1/answer2", "answer2")
    item = item_of(tmp_path, bare)
    require_learnable([item], "labels")
    item = item_of(tmp_path, {**bare, "instruction": bare["instruction"].replace(
        "Answer format", "Answer1: silk\n\nAnswer format")})  # fmt: skip
    with pytest.raises(DataError, match=r"item 1: .*answer1, answer2 it has 1 texts.*style labels"):
        require_learnable([item], "texts")


def test_a_format_that_offers_no_choice_is_part_of_the_instruction(tmp_path: Path) -> None:
    item = item_of(tmp_path, {"instruction": "List two. Answer format: JSON", "output": "[1, 2]"})
    assert item.choices == () and completion_of(item) == "[1, 2]"


@pytest.mark.parametrize(
    ("output", "answer"),
    [("the correct answer is answer2", "answer2"), ("The correct answer is answer1.", "answer1"),
     ("answer3", "answer3")],
)  # fmt: skip
def test_an_answer_left_out_is_read_from_the_output(
    tmp_path: Path, output: str, answer: str
) -> None:
    found = {"instruction": BEES["instruction"], "output": output}
    assert item_of(tmp_path, found).answer == answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{not json", "not understood as JSON"),
        ('[{"instruction": "Only that"}]', "item 1: needs the texts instruction and output"),
        ("[17]", "item 1: needs the texts .* given 17"),
        (json.dumps([{**BEES, "answer": "answer9"}]), "'answer9' is none of answer1, answer2"),
        ("[]", "no item of the train split"),
        (json.dumps([{**BEES, "split": "train"}, {"split": "test"}]), "item 2: needs the texts"),
        (json.dumps([{"instruction": BEES["instruction"], "output": "honey, I guess"}]),
         "item 1: has no answer, and its output 'honey, I guess' names none of answer1, .*"
         '"answer": "answer1"'),
        (json.dumps([BEES, {**BEES, "answer": None}]), "item 2: answer is null, which is no text"),
        (json.dumps([{**BEES, "answer": 2}]), "item 1: answer is 2, which is no text"),
        (json.dumps([{**BEES, "input": 3}]), "item 1: input is 3, which is no text"),
        (json.dumps([{**BEES, "input": ["a"]}]), r"item 1: input is \["),
        (json.dumps([{**BEES, "input": None}]), "item 1: input is null"),
        (json.dumps([{**BEES, "split": None}]), "item 1: split is null"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_where_and_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "items.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=says):
        read_items(path)


def test_a_broken_line_is_told_by_its_number_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(f"{json.dumps(BEES)}\n\n{{not json\n", "utf-8")
    with pytest.raises(DataError, match=r"\(line 3, column 2: "):
        read_items(path)


def test_an_option_without_a_text_is_no_option(tmp_path: Path) -> None:
    bees = {**BEES, "instruction": BEES["instruction"].replace("Answer1: silk", "Answer1:  ")}
    assert bees != BEES
    with pytest.raises(DataError, match="no options to compare"):
        candidates_of(item_of(tmp_path, bees), "texts")


def test_a_file_for_learning_and_for_scoring_tells_them_apart_by_a_split(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps([{**BEES, "split": "train"}, {**BEES, "split": "test"}]), "utf-8")
    require_apart(path)
    require_apart(tmp_path)  # a folder has a file for each
    path.write_text(json.dumps([{**BEES, "split": "train"}, BEES]), "utf-8")
    with pytest.raises(DataError, match=r"1 of its items name no split.*what was learnt"):
        require_apart(path)


def test_an_empty_folder_is_told_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"such as boolq/test\.json"):
        read_items(tmp_path, "test")


def test_the_bundled_items_have_all_formats_and_no_question_twice() -> None:
    train, test = read_items(DEMO_FILE, "train"), read_items(DEMO_FILE, "test")
    assert (len(train), len(test)) == (141, 59)
    assert len({prompt_of(item, "texts") for item in (*train, *test)}) == 200
    formats = {item.choices for item in test}
    assert formats <= set(COMMONSENSE.values()) and len(formats) == 5
    for item in (*train, *test):
        assert completion_of(item).endswith(item.answer)
        assert len(set(candidates_of(item, "texts"))) == len(item.choices)


@pytest.mark.shared_data
def test_every_item_of_the_commonsense_sets_is_understood(shared_data: Path) -> None:
    folder = shared_data / "data" / "commonsense"
    sizes = {
        name: len(read_items(path, "test")) for name, path in find_sets(folder, "test").items()
    }
    assert sizes == {
        "ARC-Challenge": 1172, "ARC-Easy": 2376, "boolq": 3270, "openbookqa": 500,
        "social_i_qa": 1954,
    }  # fmt: skip
    for item in read_items(folder, "test"):
        assert completion_of(item, "texts") in candidates_of(item, "texts")
