"""Metrics in words: what is said of a network beside its references."""

import pytest

from kelly.evaluation.comparisons import paragraph, significant, verdict
from kelly.tasks import TASKS

GROOVE = TASKS["groovepredictor"]
SCORES = {"loss": 0.1, "skill": 0.163, "skill_low": 0.14, "skill_high": 0.19, "num_test_pieces": 1_090}


def gap(name: str, reached: float, value: float, low: float, high: float) -> dict[str, float]:
    return {
        f"{name}_loss": 0.1 + value,
        f"{name}_skill": reached,
        f"{name}_gap": value,
        f"{name}_gap_low": low,
        f"{name}_gap_high": high,
    }


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.001, 0.1, "better"), (-0.1, -0.001, "worse"), (-0.001, 0.001, "even"), (0.0, 0.0, "even"), (0.0, 0.1, "even")],
)
def test_better_and_worse_need_the_whole_interval_on_one_side_of_zero(low: float, high: float, expected: str) -> None:
    assert verdict(gap("ridge", 0.1, 0.0, low, high), "ridge") == expected
    assert verdict({"ridge_gap": 0.1}, "ridge") == "not known"


def test_a_network_that_loses_to_persistence_is_told_so() -> None:
    scores = SCORES | gap("persistence", 0.35, -0.012, -0.015, -0.00912) | gap("ridge", 0.12, 0.004, 0.0021, 0.0063)
    assert paragraph(GROOVE, "groove", scores) == (
        "**GroovePredictor**, groove: skill 0.163 (95 % interval 0.140 to 0.190, 1,090 test pieces). "
        "Persistence, which lets what was heard last go on, reaches 0.350: the network is **no better than "
        "persistence**, it is worse (difference −0.0120, −0.0150 to −0.00912). "
        "Ridge regression reaches 0.120: the network is better (difference 0.00400, 0.00210 to 0.00630).\n"
    )


def test_a_network_that_is_even_with_persistence_is_no_better_either() -> None:
    said = paragraph(GROOVE, "groove", SCORES | gap("persistence", 0.16, 0.001, -0.002, 0.003))
    assert "**no better than persistence**, the two cannot be told apart (difference 0.00100, −0.00200 to" in said


def test_a_network_that_beats_persistence_is_better() -> None:
    said = paragraph(GROOVE, "groove", SCORES | gap("persistence", 0.1, 0.01, 0.008, 0.012))
    assert "reaches 0.100: the network is better (" in said
    assert "no better" not in said


def test_of_the_n_grams_the_best_is_named() -> None:
    scores = SCORES | gap("bigram", 0.18, 0.02, 0.01, 0.03) | gap("trigram", 0.25, -0.02, -0.03, -0.01)
    said = paragraph(TASKS["harmonypredictor"], "corpus", scores)
    assert "The best n-gram (trigram) reaches 0.250: the network is **worse** (difference −0.0200, " in said
    assert "bigram" not in said


@pytest.mark.parametrize(
    ("reached", "ends", "expected"),
    [
        (-0.5, (0.1, 0.2), "it reaches −0.500: its score comes from its inputs ("),
        (0.1, (0.1, 0.2), "it reaches 0.100: only what it has above that comes from its inputs ("),
        (0.16, (-0.1, 0.2), "it reaches 0.160: **its score does not come from its inputs** ("),
    ],
)
def test_the_inputs_of_another_piece_show_where_the_score_comes_from(
    reached: float, ends: tuple[float, float], expected: str
) -> None:
    assert expected in paragraph(GROOVE, "groove", SCORES | gap("shuffled", reached, 0.1, *ends))


def test_without_an_interval_only_the_difference_is_told() -> None:
    scores = {"skill": 0.2, "num_test_pieces": 1, "persistence_loss": 0.2, "persistence_skill": 0.3}
    said = paragraph(GROOVE, "groove", scores | {"persistence_gap": -0.05})
    assert said.startswith("**GroovePredictor**, groove: skill 0.200 (1 test piece, too few for an interval). ")
    assert said.endswith("go on, reaches 0.300 (difference −0.0500).\n")


def test_metrics_that_lack_a_difference_are_an_error() -> None:
    with pytest.raises(KeyError, match="ridge_gap"):
        paragraph(GROOVE, "groove", SCORES | {"ridge_loss": 0.2, "ridge_skill": 0.3})


def test_differences_have_three_digits_whatever_their_size() -> None:
    assert [significant(x) for x in (0.0, 2.138, -0.26951, 0.000012345, 1234.5)] == [
        "0", "2.14", "−0.270", "0.0000123", "1234",
    ]  # fmt: skip
