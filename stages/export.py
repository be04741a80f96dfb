"""Export one network for RTNeural and prove it: `python -m stages.export emotionrecognizer` → trained_models/*.json."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits
from kelly.export.export_model import export_model
from stages.common import TRAINED, run


def main(config: TaskConfig) -> None:
    """Write trained_models/{model}.json."""
    model = export_model(config.task, TRAINED, load_splits(config, DATA))
    parity_error = model.metadata["parity_error"]
    print(f"{config.task.title}: {model.num_parameters:,} parameters, parity error {parity_error:.1e}")


if __name__ == "__main__":
    run(main)
