"""Generate or read the data of one network: `python -m stages.generate emotionrecognizer` → data/datasets/."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA
from kelly.sources.generate import generate_data
from stages.common import run


def main(config: TaskConfig) -> None:
    """Write data/datasets/{model}/."""
    dataset = generate_data(config, DATA)
    n, num_frames, _ = dataset.sequences.inputs.shape
    print(f"{config.task.title}: {n} sequences of {num_frames} frames from {config.source}")


if __name__ == "__main__":
    run("generate", main)
