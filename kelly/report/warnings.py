"""What should make one doubt a result, or try something else, in plain words: one rule a function."""

from collections.abc import Callable, Iterator, Mapping

from kelly.evaluation.comparisons import references, significant, verdict
from kelly.export.rtneural_file import TOLERANCE
from kelly.report.model_results import Facts

OVERFIT = 1.2  # times the training loss: a validation loss above that says that pieces were learned by heart
MANY_SKIPPED = 0.05  # share of a source's files
FEW_PIECES = 30  # test pieces, below which their choice decides much
NEAR_LIMIT = 0.1  # share of the parity error that an export may have


def control(facts: Facts) -> Iterator[str]:
    """The control that takes all sense from the inputs."""
    if facts.metadata["data"]["splitting"]["shuffle_inputs"]:
        yield "shuffle_inputs is on: every input is paired with another's target. This is a control, not a result."


def no_better_than_a_constant(facts: Facts) -> Iterator[str]:
    """Skill that is not above 0."""
    low = facts.scores.get("skill_low", facts.scores["skill"])
    if facts.scores["skill"] <= 0:
        yield "It is no better than the best constant: nothing was learned that holds for other pieces."
    elif low <= 0:
        yield "It may be no better than the best constant: the interval of its skill reaches below 0."


def beside_references(facts: Facts) -> Iterator[str]:
    """Simple predictors that it does not beat."""
    for name, phrase in references(facts.task, facts.scores).items():
        called = phrase.split(",")[0]
        found = verdict(facts.scores, name)
        gap = significant(abs(facts.scores[f"{name}_gap"]))
        if found == "worse":
            yield f"{called} does better, by {gap} of the loss: the network is not worth its cost on this data."
        elif found == "even":
            yield f"{called} does as well, as far as the test pieces can tell (difference {gap})."
        elif found == "not known" and facts.scores[f"{name}_gap"] <= 0:
            yield f"{called} does as well or better, by {gap} of the loss; too few test pieces say how sure that is."


def not_from_its_inputs(facts: Facts) -> Iterator[str]:
    """A score that inputs of other pieces give as well."""
    if "shuffled_loss" in facts.scores and verdict(facts.scores, "shuffled") in ("even", "worse"):
        yield "Its score does not come from its inputs: those of other pieces do as well."


def ended_at_its_best(facts: Facts) -> Iterator[str]:
    """A best epoch that is the last that was allowed."""
    last, allowed = facts.history["epoch"][-1], facts.metadata["params"]["epochs"]
    if facts.history["epoch"][facts.best_row] == last == allowed:
        yield (
            f"Its best epoch is the last, {last}: more epochs may help "
            f"(dvc exp run -S models.{facts.task.name}.epochs={2 * allowed})."
        )


def overfit(facts: Facts) -> Iterator[str]:
    """A validation loss far above that of training, where it was best."""
    train, validation = (facts.history[f"{side}_loss"][facts.best_row] for side in ("train", "val"))
    if validation > OVERFIT * train > 0:
        yield (
            f"At its best epoch the validation loss, {validation:.4g}, is {validation / train:.1f} times the training "
            "loss: it learns pieces by heart. More data, weight_decay or a smaller learning_rate may help."
        )


def skipped_files(facts: Facts) -> Iterator[str]:
    """Files that could not be used."""
    number, files = len(facts.skipped), facts.about["facts"].get("files", 0)
    if number > MANY_SKIPPED * files > 0:
        yield f"{number:,} of {files:,} files were skipped, {number / files:.0%}: look at the reasons below."


def few_pieces(facts: Facts) -> Iterator[str]:
    """Too few test pieces to trust a score."""
    number = int(facts.scores["num_test_pieces"])
    pieces = f"{number:,} test piece{'' if number == 1 else 's'}"
    if "skill_low" not in facts.scores:
        yield f"{pieces}: too few for an interval, so that any score may be chance."
    elif number < FEW_PIECES:
        yield f"{pieces} only: others of the same kind could give quite another score, as the interval says."


def parity(facts: Facts) -> Iterator[str]:
    """An export that computes nearly something else."""
    error = facts.scores["parity_error"]
    if error > NEAR_LIMIT * TOLERANCE:
        yield f"Parity: export and network differ by up to {error:.1e}, near the limit of {TOLERANCE:.0e}."


def origin(facts: Facts) -> Iterator[str]:
    """Code, data or a training that the commands do not bring back."""
    if not facts.revision:
        yield "The commit of its code is not known: it was made outside git."
    elif facts.revision.endswith("-modified"):
        yield "Its code was changed and not committed when it was exported: no commit holds what made it."
    if facts.metadata["data"]["sha256"] != facts.about["sha256"]:
        yield "Its data was made anew after it was trained: its scores are those of other data."
    if facts.metadata.get("origin"):
        yield f"It was not simply trained: {facts.metadata['origin']}."


RULES: tuple[Callable[[Facts], Iterator[str]], ...] = (
    control, no_better_than_a_constant, not_from_its_inputs, beside_references, overfit, ended_at_its_best, few_pieces,
    skipped_files, parity, origin,
)  # fmt: skip


def cautions(facts: Facts) -> list[str]:
    """All that the rules say of one network, the gravest first."""
    return [text for rule in RULES for text in rule(facts)]


def of_all(networks: Mapping[str, Facts]) -> list[str]:
    """What is to be said of them process_group."""
    revisions = {facts.revision.removesuffix("-modified") for facts in networks.values()}
    if len(revisions) > 1:
        return [f"The networks were made by {len(revisions)} states of the code; each section names its own."]
    return []
