"""Read or draw the data of one network: `python -m stages.generate emotionrecognizer` → data/datasets/."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, datasets_folder
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import generate
from stages.common import run


def main(s: TaskConfig) -> None:
    """Write data/datasets/{model}/."""
    with workers(s.extraction.num_workers, s.extraction.dask):
        dataset = generate(s.task, s.source, s.data, datasets_folder(DATA, s.task.name))
    n, num_frames, _ = dataset.sequences.inputs.shape
    print(f"{s.task.title}: {n} sequences of {num_frames} frames from {s.source}")


if __name__ == "__main__":
    run(main)
