"""Layers by name: what is offered is what a comparison takes."""

from __future__ import annotations

from app.tabs.layer_names import layer_choices, layers_asked, place

UP = "up_blocks.1.attentions.0.transformer_blocks.0"
LAYERS = [
    "down_blocks.2.attentions.1.transformer_blocks.9.attn1.to_out.0",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
    f"{UP}.attn1.to_q",
    f"{UP}.attn2.to_k",
]


def test_all_come_first_then_each_kind_then_the_single_ones() -> None:
    labels, values = zip(*layer_choices(LAYERS), strict=True)
    assert values == ("all", "attn1.to_out.0", "attn1.to_q", "attn2.to_k", *LAYERS)
    assert labels[0] == "all 4 layers"
    assert labels[3] == "every text attention, key (attn2.to_k), 2"
    assert labels[4] == "down block 2, 1.9: picture attention, output"
    assert labels[5] == "middle block, 0.0: text attention, key"


def test_where_nothing_launched_there_is_nothing_to_choose() -> None:
    assert layer_choices([]) == []


def test_all_makes_the_rest_needless() -> None:
    assert layers_asked(["attn2.to_k", "all"]) == ("all",)
    assert layers_asked(["attn2.to_k", "attn1.to_q"]) == ("attn2.to_k", "attn1.to_q")
    assert layers_asked([]) == ()


def test_a_layer_has_a_place_in_words() -> None:
    assert place(LAYERS[3]) == "up block 1 (text attention)"
    assert place(LAYERS[0]) == "down block 2 (picture attention)"


def test_layers_of_text_models_go_by_their_names_and_each_kind_says_what_it_draws() -> None:
    layers = [
        f"bert.encoder.layer.{number}.{name}"
        for number in (0, 1)
        for name in ("attention.self.query", "attention.output.dense", "output.dense")
    ]
    assert layer_choices(layers)[:4] == [
        ("all 6 layers", "all"),
        ("every attention.output.dense, 2", "attention.output.dense"),
        ("every attention.self.query, 2", "attention.self.query"),
        ("every output.dense, 4", "output.dense"),
    ]
    assert layer_choices(layers)[4] == (layers[0], layers[0])
