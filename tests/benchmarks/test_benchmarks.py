"""What is measured and how it is shown; times are not tested."""

from pathlib import Path

import orjson
import pytest
import torch
from support.small_runs import small_data
from torch import Tensor

from benchmarks.limit import products
from benchmarks.measure import alternate, ratio, rounded, spread
from benchmarks.tables import tables
from benchmarks.usual_loop import usual_loop
from kelly.config.params import load
from kelly.tasks import LSTM, TASKS


def test_candidates_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def candidate(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    seconds = alternate({"a": lambda: candidate("a"), "b": lambda: candidate("b")}, 2, "both")
    assert turns == ["a", "b"] * 3
    assert seconds == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_ratios_are_taken_within_a_round_and_floats_rounded() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {"ratio": 2.0, "low": 1.0, "high": 3.0}
    assert spread([3.0, 1.0, 2.0], 10) == {"median": 20.0, "low": 10.0, "high": 30.0}
    assert rounded({"a": [1.23456, 7], "b": "text"}) == {"a": [1.235, 7], "b": "text"}


@pytest.mark.parametrize("name", TASKS)
def test_the_limit_consists_of_the_products_of_frames_that_are_not_padding(name: str) -> None:
    task, sizes = TASKS[name], [5, 5, 2]
    num_frames, width, forward, backward = sum(sizes), task.num_inputs, 0, 0
    for i, layer in enumerate(task.layers):
        out = 4 * layer.size if isinstance(layer, LSTM) else layer.size
        forward += num_frames * width * out
        backward += num_frames * width * out * (2 if i else 1)  # the first layer needs no gradient of its inputs
        if isinstance(layer, LSTM):
            forward += num_frames * layer.size * out
            backward += 2 * num_frames * layer.size * out
        width = layer.size

    def get_buffer(_name: str, rows: int, columns: int) -> Tensor:
        return torch.zeros(rows, columns)

    for num_multiplications, with_backward in ((forward, False), (forward + backward, True)):
        result = products(task, sizes, get_buffer, with_backward)
        assert sum(a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in result) == num_multiplications
        assert all(torch.mm(a, b).shape == out.shape for a, b, out in result)


def test_the_usual_loop_trains_on_the_same_data(project: Path) -> None:
    config = load(project / "params.yaml")["groovepredictor"]
    assert usual_loop(config, small_data())() > 0


def test_the_page_shows_the_measured_results(project: Path) -> None:
    results = orjson.loads((project / "benchmarks/results.json").read_bytes())
    assert tables(results) in (project / "docs/performance.md").read_text()
    ratios = {"ms_per_epoch", "dataloader_ratio", "lightning_ratio", "limit_ratio"}
    assert all(ratios <= results["training"][name].keys() for name in TASKS)
    assert results["training"]["all"]["lightning_ratio"] > 0
