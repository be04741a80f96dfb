"""What is measured is what is said to be measured; how long it takes is no test."""

from pathlib import Path

import orjson
import pytest
import torch
from support.small_runs import small_data
from torch import Tensor

from benchmarks.limit import products
from benchmarks.measure import in_turns, ratio, rounded, spread
from benchmarks.tables import tables
from kelly.tasks import LSTM, TASKS


def test_ways_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def way(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    seconds = in_turns({"a": lambda: way("a"), "b": lambda: way("b")}, 2, "both")
    assert turns == ["a", "b"] * 3
    assert seconds == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_ratio_is_that_of_each_round() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {"ratio": 2.0, "low": 1.0, "high": 3.0}
    assert spread([3.0, 1.0, 2.0], 10) == {"median": 20.0, "low": 10.0, "high": 30.0}
    assert rounded({"a": [1.23456, 7], "b": "text"}) == {"a": [1.235, 7], "b": "text"}


@pytest.mark.parametrize("name", TASKS)
def test_the_limit_is_made_of_the_products_that_live_frames_ask_for(name: str) -> None:
    task, sizes = TASKS[name], [5, 5, 2]
    frames, width, forward, backward = sum(sizes), task.num_inputs, 0, 0
    for i, layer in enumerate(task.layers):
        out = 4 * layer.size if isinstance(layer, LSTM) else layer.size
        forward += frames * width * out
        backward += frames * width * out * (2 if i else 1)  # nobody asks for the gradient of the first inputs
        if isinstance(layer, LSTM):
            forward += frames * layer.size * out
            backward += 2 * frames * layer.size * out
        width = layer.size

    def operand(_name: str, rows: int, columns: int) -> Tensor:
        return torch.zeros(rows, columns)

    for wanted, learning in ((forward, False), (forward + backward, True)):
        found = products(task, sizes, operand, learning)
        assert sum(a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in found) == wanted
        assert all(torch.mm(a, b).shape == place.shape for a, b, place in found)


def test_the_usual_loop_learns_the_same_task() -> None:
    usual_loop = pytest.importorskip("benchmarks.usual_loop")
    from kelly.config.params import load

    settings = load(Path(__file__).parents[2] / "params.yaml")["groovepredictor"]
    assert usual_loop.usual_loop(settings, small_data())() > 0


def test_the_page_holds_the_tables_of_what_was_measured(project: Path) -> None:
    results = orjson.loads((project / "benchmarks/results.json").read_bytes())
    assert tables(results) in (project / "docs/performance.md").read_text()
    for name in TASKS:
        assert {"ms_per_epoch", "dataloader_ratio", "lightning_ratio", "limit_ratio"} <= results["training"][
            name
        ].keys()
    assert results["training"]["all"]["lightning_ratio"] > 0
