"""Score one exported network on its test side: `python -m stages.evaluate emotionrecognizer` → metrics/."""

from kelly.errors import KellyError
from kelly.evaluation import evaluate
from kelly.params import Settings
from kelly.prepared import DATA, load_parts
from kelly.report import num_epochs, write_metrics
from kelly.rtneural import read
from stages.frame import METRICS, TRAINED, run


def main(s: Settings) -> None:
    """Write metrics/{model}.json."""
    parts = load_parts(s, DATA)
    model = read(TRAINED / f"{s.task.name}.json")
    if (model.num_inputs, model.num_outputs) != (s.task.num_inputs, s.task.num_outputs):
        found, expected = (f"{n} inputs and {m} outputs" for n, m in (
            (model.num_inputs, model.num_outputs), (s.task.num_inputs, s.task.num_outputs)))  # fmt: skip
        raise KellyError(f"{s.task.name}.json has {found}, expected {expected}; export it again")
    scores = evaluate(s.task, model.run, parts)
    epochs = num_epochs(TRAINED / "history" / f"{s.task.name}_history.json")
    write_metrics(METRICS, s.task, scores, model.metadata, epochs)
    loss, baseline = scores["loss"], scores["baseline_loss"]
    print(f"{s.task.title}: loss {loss:.4f}, baseline {baseline:.4f}, skill {scores['skill']:.3f}")


if __name__ == "__main__":
    run(main)
