"""What a search may choose: points, their values, and blocks of layers."""

import numpy as np
import pytest
from lexmerge.merges.recipes import in_blocks
from lexmerge.search.space import Space


def test_blocks_become_mergekits_slices():
    """Five layers in two blocks: round(2.5) is 2 in Python, so layers 0 and 1, and 2 to 4."""
    blocked = {
        "merge_method": "ties",
        "base_model": "base",
        "models": [{"model": "a", "parameters": {"weight": {"w": None}, "density": "{d}"}}, {"model": "b"}],
        "parameters": {"lambda": "{l}", "normalize": True},
        "dtype": "float32",
    }
    assert in_blocks(blocked, {"w": [0.1, 0.2], "d": 0.9, "l": 1.0}, layers=5, adds_base=True) == {
        "merge_method": "ties",
        "base_model": "base",
        "dtype": "float32",
        "slices": [
            {
                "sources": [
                    {"model": "a", "layer_range": [start, end], "parameters": {"weight": w, "density": 0.9}},
                    {"model": "b", "layer_range": [start, end]},
                    {"model": "base", "layer_range": [start, end]},
                ],
                "parameters": {"lambda": 1.0, "normalize": True},
            }
            for start, end, w in ((0, 2, 0.1), (2, 5, 0.2))
        ],
    }


def test_blocks_of_different_number_are_cut_at_every_edge():
    content = {"merge_method": "slerp", "base_model": "a", "models": [{"model": "a"}, {"model": "b"}]}
    content["parameters"] = {"t": "{t}", "u": "{u}"}
    found = in_blocks(content, {"t": [0.1, 0.2], "u": [1, 2, 3]}, layers=6, adds_base=True)
    assert [s["sources"][0]["layer_range"] for s in found["slices"]] == [[0, 2], [2, 3], [3, 4], [4, 6]]
    assert [s["parameters"] for s in found["slices"]] == [
        {"t": 0.1, "u": 1},
        {"t": 0.1, "u": 2},
        {"t": 0.2, "u": 2},
        {"t": 0.2, "u": 3},
    ]


def test_without_blocks_the_recipe_keeps_its_form():
    content = {"merge_method": "linear", "models": [{"model": "a", "parameters": {"weight": "{w}"}}]}
    assert in_blocks(content, {"w": 0.25}, layers=9, adds_base=False)["models"] == [
        {"model": "a", "parameters": {"weight": 0.25}}
    ]


def test_a_point_is_a_value_for_each_block():
    space = Space({"w": {"range": [0, 2], "blocks": 3, "start": [0, 1, 2]}, "d": {"range": [0.2, 0.6]}})
    assert space.start().tolist() == pytest.approx([0, 0.5, 1, 0.5])
    assert space.values(np.array([0.1, 2, -1, 0.25])) == {"w": [0.2, 2.0, 0.0], "d": 0.3}
    small = Space({"eps": {"range": [1e-8, 4e-7]}})
    assert small.values(np.array([0.0])) == {"eps": 1e-8}
    assert small.values(np.array([1 / 3])) == {"eps": 1.4e-7}
