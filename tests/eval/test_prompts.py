"""Prompt lists as published, filled, and without the unique token."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eval.prompts import default_list, read_templates, without_token
from trainer.data.subject import fill
from trainer.embedded_base.concepts import COLOURS, vocabulary_words
from trainer.errors import ConfigError


@pytest.mark.parametrize("name", ["object", "live", "embedded"])
def test_every_list_has_25_different_templates(name: str) -> None:
    templates = read_templates(name)
    assert len(set(templates)) == 25
    assert all("{unique_token} {class_token}" in template for template in templates)


@pytest.mark.shared_data
def test_dreambooth_lists_are_the_official_ones(shared_data: Path) -> None:
    official = (shared_data / "dreambooth" / "prompts_and_classes.txt").read_text("utf-8")
    lines = re.findall(r"^'(.*)'\.format\(unique_token, class_token\)", official, re.MULTILINE)
    ours = [fill(t, "{0}", "{1}") for name in ("object", "live") for t in read_templates(name)]
    assert ours == lines


def test_embedded_list_speaks_the_language_of_its_base() -> None:
    known = set(vocabulary_words())
    templates = [without_token(template, "teapot") for template in read_templates("embedded")]
    assert {word for text in templates for word in text.split()} <= known
    assert all(any(f"{colour} background" in text for text in templates) for colour in COLOURS)


@pytest.mark.parametrize(
    ("template", "kind", "expected"),
    [
        ("a {unique_token} {class_token} on the beach", "dog", "a dog on the beach"),
        ("a red {unique_token} {class_token}", "dog", "a red dog"),
        ("a {unique_token} {class_token}", "umbrella", "a umbrella"),
        ("a {unique_token} {class_token} on a red rug", "owl", "an owl on a red rug"),
        ("a {unique_token} {class_token} in the snow", "sunglasses", "sunglasses in the snow"),
        ("a red {unique_token} {class_token}", "glasses", "red glasses"),
        ("photo of {unique_token}", "dog", "photo of"),
    ],
)
def test_without_token_reads_as_if_it_never_was_there(
    template: str, kind: str, expected: str
) -> None:
    assert without_token(template, kind) == expected


@pytest.mark.parametrize(
    ("base", "kind", "expected"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", "dog", "live"),
        ("stabilityai/stable-diffusion-xl-base-1.0", "Cat", "live"),
        ("stabilityai/stable-diffusion-xl-base-1.0", "stuffed animal", "object"),
        ("some/model.safetensors", "teapot", "object"),
        ("embedded", "dog", "embedded"),
    ],
)
def test_the_list_goes_by_base_and_class(base: str, kind: str, expected: str) -> None:
    assert default_list(base, kind) == expected


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("# mine\n\n a {unique_token} {class_token} at night \n", "utf-8")
    assert read_templates(str(file)) == ["a {unique_token} {class_token} at night"]


def test_faults_of_a_file_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a dog\na {unique_token} {colour} dog\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_templates(str(file))
    assert "no {unique_token}" in str(caught.value) and "{colour}" in str(caught.value)
    file.write_text("# nothing\n", "utf-8")
    with pytest.raises(ConfigError, match="no prompt"):
        read_templates(str(file))
    with pytest.raises(ConfigError, match="object, live, embedded"):
        read_templates("objects")
