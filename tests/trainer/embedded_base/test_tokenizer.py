"""The trimmed tokenizer agrees with full CLIP BPE on our words and takes any text."""

from __future__ import annotations

from open_clip import SimpleTokenizer
from transformers import AutoTokenizer, CLIPTokenizer

from trainer.embedded_base.concepts import vocabulary_words
from trainer.embedded_base.tokenizer import build_tokenizer, save_tokenizer


def test_our_words_are_cut_as_full_clip_cuts_them():
    full, trimmed = SimpleTokenizer(), build_tokenizer(vocabulary_words())
    for word in vocabulary_words():
        assert trimmed.tokenize(word) == [full.decoder[i] for i in full.encode(word)]


def test_any_text_tokenizes_without_the_unknown_token():
    tokenizer = build_tokenizer(vocabulary_words())
    ids = tokenizer("a zwx qqxj Ünïcode 猫 3%!").input_ids
    assert ids.count(tokenizer.eos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_the_saved_folder_loads_both_ways(tmp_path):
    words = vocabulary_words()
    save_tokenizer(build_tokenizer(words), tmp_path, words)
    text = "a small dog on a red background"
    expected = build_tokenizer(words)(text).input_ids
    for loader in (CLIPTokenizer, AutoTokenizer):
        loaded = loader.from_pretrained(tmp_path)
        assert loaded(text).input_ids == expected
        assert loaded.model_max_length == 77


def test_the_end_token_is_the_highest_so_that_argmax_pooling_finds_it():
    tokenizer = build_tokenizer(vocabulary_words())
    assert tokenizer.eos_token_id == len(tokenizer) - 1
