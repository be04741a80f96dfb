"""Scores compared with those of baselines, in words."""

import pytest

from kelly.evaluation.comparisons import compare_with, paragraph, significant, strongest_baseline
from kelly.tasks import TASKS

GROOVE, HARMONY = TASKS["groovepredictor"], TASKS["harmonypredictor"]
SCORES = {"loss": 0.1, "skill": 0.163, "skill_low": 0.14, "skill_high": 0.19, "num_test_pieces": 1_090}


def baseline(name: str, skill: float, gap: float, low: float, high: float) -> dict[str, float]:
    values = {"loss": 0.1 + gap, "skill": skill, "gap": gap, "gap_low": low, "gap_high": high}
    return {f"{name}_{key}": value for key, value in values.items()}


NGRAMS = baseline("bigram", 0.18, 0.02, 0.01, 0.03) | baseline("trigram", 0.25, -0.02, -0.03, -0.01)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.001, 0.1, "better"), (-0.1, -0.001, "worse"), (-0.001, 0.001, "no difference"), (0.0, 0.1, "no difference")],
)
def test_better_and_worse_need_an_interval_without_zero(low: float, high: float, expected: str) -> None:
    assert compare_with(baseline("ridge", 0.1, 0.0, low, high), "ridge") == expected


def test_without_an_interval_the_comparison_is_unknown() -> None:
    assert compare_with({"ridge_gap": 0.1}, "ridge") == "unknown"
    scores = {"skill": 0.2, "num_test_pieces": 1, "ridge_loss": 0.2, "ridge_skill": 0.3, "ridge_gap": -0.05}
    text = paragraph(GROOVE, "groove", scores)
    assert "skill 0.200 (1 test piece, too few for an interval)" in text
    assert text.endswith("skill 0.300 (loss gap −0.0500).\n")


def test_a_paragraph_gives_skill_comparison_and_gap_of_each_baseline() -> None:
    scores = SCORES | baseline("persistence", 0.35, -0.012, -0.015, -0.00912)
    assert paragraph(GROOVE, "groove", scores | baseline("ridge", 0.12, 0.004, 0.0021, 0.0063)) == (
        "**GroovePredictor** (groove): skill 0.163 (95 % interval 0.140 to 0.190, 1,090 test pieces). Persistence: "
        "skill 0.350, so the network is **worse**: it is **no better than persistence** (loss gap −0.0120, −0.0150 to "
        "−0.00912). Ridge regression: skill 0.120, so the network is better (loss gap 0.00400, 0.00210 to 0.00630).\n"
    )


@pytest.mark.parametrize(("low", "emphasized"), [(-0.002, True), (0.001, False)])
def test_no_better_than_persistence_is_emphasized(low: float, emphasized: bool) -> None:
    text = paragraph(GROOVE, "groove", SCORES | baseline("persistence", 0.16, 0.001, low, 0.003))
    assert ("**no better than persistence**" in text) == emphasized


def test_the_strongest_baseline_has_the_smallest_loss_and_of_the_n_grams_only_that_is_named() -> None:
    text = paragraph(HARMONY, "corpus", SCORES | NGRAMS)
    assert "(trigram): skill 0.250, so the network is **worse** (loss gap −0.0200" in text
    assert "bigram" not in text
    assert strongest_baseline(HARMONY, SCORES | NGRAMS) == "trigram"
    assert strongest_baseline(HARMONY, SCORES | NGRAMS | baseline("ridge", 0.3, -0.03, -0.04, -0.01)) == "ridge"


@pytest.mark.parametrize(
    ("skill", "limits", "expected"),
    [
        (-0.5, (0.1, 0.2), "so the score depends on the inputs ("),
        (0.1, (0.1, 0.2), "so only the skill above it depends on the inputs ("),
        (0.16, (-0.1, 0.2), "so **the score does not depend on the inputs** ("),
    ],
)
def test_the_shuffled_input_control_shows_whether_the_score_depends_on_the_inputs(
    skill: float, limits: tuple[float, float], expected: str
) -> None:
    assert expected in paragraph(GROOVE, "groove", SCORES | baseline("shuffled", skill, 0.1, *limits))


def test_a_missing_gap_is_an_error() -> None:
    with pytest.raises(KeyError, match="ridge_gap"):
        paragraph(GROOVE, "groove", SCORES | {"ridge_loss": 0.2, "ridge_skill": 0.3})


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.0, "0"), (2.138, "2.14"), (-0.26951, "−0.270"), (0.000012345, "0.0000123"), (1234.5, "1234")],
)
def test_gaps_have_three_significant_digits(gap: float, expected: str) -> None:
    assert significant(gap) == expected
