"""Score one exported network on its test side and draw it: `python -m stages.evaluate emotionrecognizer` → metrics/."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits
from kelly.evaluation.baselines import mean_target
from kelly.evaluation.evaluate import evaluate
from kelly.evaluation.metrics import Predicted
from kelly.evaluation.results import read_history, write_metrics
from kelly.plots.curves import training_curves
from kelly.plots.plot_inputs import PlotInputs
from kelly.plots.predictions import plot_predictions
from kelly.plots.reference_lines import beside
from kelly.rtneural.reader import read
from kelly.runtime.errors import KellyError
from stages.common import METRICS, TRAINED, run


def main(s: TaskConfig) -> None:
    """Write metrics/{model}.json and trained_models/plots/{model}_{loss,metric,predictions}.png, .svg."""
    parts = load_splits(s, DATA)
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
    drawn = PlotInputs(s.task.title, predicted, constant, model.run, model.metadata)
    plot_predictions(s.task, drawn, TRAINED / "plots")
    loss, baseline = scores["loss"], scores["baseline_loss"]
    print(f"{s.task.title}: loss {loss:.4f}, baseline {baseline:.4f}, skill {scores['skill']:.3f}")


if __name__ == "__main__":
    run(main)
