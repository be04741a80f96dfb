"""Score one export on its test split and plot it: `python -m stages.evaluate emotionrecognizer` → metrics/, plots/."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits
from kelly.evaluation.baselines import mean_target
from kelly.evaluation.evaluate import evaluate
from kelly.evaluation.metrics import Predictions
from kelly.evaluation.results import read_history, write_metrics
from kelly.plots.curves import plot_curves, reference_lines
from kelly.plots.plot_inputs import PlotInputs
from kelly.plots.predictions import plot_predictions
from kelly.rtneural.reader import Model, read
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from stages.common import METRICS, TRAINED, run


def main(config: TaskConfig) -> None:
    """Write metrics/{model}.json and trained_models/plots/{model}_{loss,metric,predictions}.png, .svg."""
    task, plots = config.task, TRAINED / "plots"
    splits, model = load_splits(config, DATA), read_export(config.task)
    predictions = Predictions(splits["test"], model.run(splits["test"].inputs))
    scores = evaluate(task, model.run, splits, predictions.outputs)
    history = read_history(TRAINED / "history" / f"{task.name}_history.json")
    write_metrics(METRICS, task, scores, model.metadata, len(history["epoch"]))
    plot_curves(task, history, plots, model.metadata["params"], reference_lines(task, splits))
    constant = mean_target(task, splits["train"])
    plot_predictions(task, PlotInputs(task.title, predictions, constant, model.run, model.metadata), plots)
    loss, baseline = scores["loss"], scores["baseline_loss"]
    print(f"{task.title}: loss {loss:.4f}, baseline {baseline:.4f}, skill {scores['skill']:.3f}")


def read_export(task: Task) -> Model:
    """The exported network. Raises KellyError where its width is not the task's, or its settings are missing."""
    model = read(TRAINED / f"{task.name}.json")
    if (model.num_inputs, model.num_outputs) != (task.num_inputs, task.num_outputs):
        raise KellyError(
            f"{task.name}.json has {model.num_inputs} inputs and {model.num_outputs} outputs, expected "
            f"{task.num_inputs} inputs and {task.num_outputs} outputs; export it again"
        )
    if "params" not in model.metadata:
        raise KellyError(f"{task.name}.json has no metadata.params, as an export of this project has; export it again")
    return model


if __name__ == "__main__":
    run("evaluate", main)
