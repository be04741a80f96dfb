"""Export one network for RTNeural and prove it: `python -m stages.export emotionrecognizer` → trained_models/*.json."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits
from kelly.export.export_model import release
from stages.common import TRAINED, run


def main(s: TaskConfig) -> None:
    """Write trained_models/{model}.json."""
    parts = load_splits(s, DATA)
    model = release(s.task, TRAINED, parts)
    parity_error = model.metadata["parity_error"]
    print(f"{s.task.title}: {model.num_parameters:,} parameters, proven to {parity_error:.1e}")


if __name__ == "__main__":
    run(main)
