"""Export one network for RTNeural and prove it: `python -m stages.export emotionrecognizer` → trained_models/*.json."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits, open_splits
from kelly.export.export_model import export_model
from kelly.training.fingerprint import run_fingerprint
from stages.common import TRAINED, run


def main(config: TaskConfig) -> None:
    """Write trained_models/{model}.json. Raises KellyError where the checkpoint is of other settings, data or code."""
    _, data = open_splits(config, DATA)
    expected = run_fingerprint(config.task, config.training, data)
    model = export_model(config.task, TRAINED, load_splits(config, DATA), expected)
    parity_error = model.metadata["parity_error"]
    print(f"{config.task.title}: {model.num_parameters:,} parameters, parity error {parity_error:.1e}")


if __name__ == "__main__":
    run("export", main)
