"""Export one network for RTNeural and prove it: `python -m stages.export emotionrecognizer` → trained_models/*.json."""

from kelly.exports.release import release
from kelly.prepared.loading import DATA, load_parts
from kelly.settings.params import Settings
from stages.frame import TRAINED, run


def main(s: Settings) -> None:
    """Write trained_models/{model}.json."""
    parts = load_parts(s, DATA)
    model = release(s.task, TRAINED, parts)
    parity_error = model.metadata["parity_error"]
    print(f"{s.task.title}: {model.num_parameters:,} parameters, proven to {parity_error:.1e}")


if __name__ == "__main__":
    run(main)
