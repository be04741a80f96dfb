"""Score one exported network on its test side and draw it: `python -m stages.evaluate emotionrecognizer` → metrics/."""

from kelly.evaluation.evaluate import evaluate
from kelly.evaluation.references import mean_target
from kelly.evaluation.results import read_history, write_metrics
from kelly.evaluation.scoring import Predicted
from kelly.pictures import shown
from kelly.pictures.beside import beside
from kelly.pictures.curves import training_curves
from kelly.prepared.loading import DATA, load_parts
from kelly.rtneural.reader import read
from kelly.safety.errors import KellyError
from kelly.settings.params import Settings
from stages.frame import METRICS, TRAINED, run


def main(s: Settings) -> None:
    """Write metrics/{model}.json and trained_models/plots/{model}_{loss,metric,predictions}.png, .svg."""
    parts = load_parts(s, DATA)
    model = read(TRAINED / f"{s.task.name}.json")
    if (model.num_inputs, model.num_outputs) != (s.task.num_inputs, s.task.num_outputs):
        found, expected = (f"{n} inputs and {m} outputs" for n, m in (
            (model.num_inputs, model.num_outputs), (s.task.num_inputs, s.task.num_outputs)))  # fmt: skip
        raise KellyError(f"{s.task.name}.json has {found}, expected {expected}; export it again")
    predicted = Predicted(parts["test"], model.run(parts["test"].inputs))
    scores = evaluate(s.task, model.run, parts, predicted.outputs)
    history = read_history(TRAINED / "history" / f"{s.task.name}_history.json")
    write_metrics(METRICS, s.task, scores, model.metadata, len(history["epoch"]))
    training_curves(s.task, history, TRAINED / "plots", model.metadata["params"], beside(s.task, parts))
    constant = mean_target(s.task, parts["train"])
    drawn = shown.Shown(s.task.title, predicted, constant, model.run, model.metadata)
    shown.draw(s.task, drawn, TRAINED / "plots")
    loss, baseline = scores["loss"], scores["baseline_loss"]
    print(f"{s.task.title}: loss {loss:.4f}, baseline {baseline:.4f}, skill {scores['skill']:.3f}")


if __name__ == "__main__":
    run(main)
