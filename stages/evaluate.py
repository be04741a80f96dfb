"""Score one exported network on its test side: `python -m stages.evaluate emotionrecognizer` → metrics/."""

import json
from pathlib import Path

from kelly.console import run
from kelly.evaluation import evaluate
from kelly.prepared import DATA, load_parts
from kelly.report import write_metrics
from kelly.rtneural import read
from stages.arguments import settings

TRAINED = Path("trained_models")


def main() -> None:
    """Write metrics/{model}.json."""
    s = settings()
    parts, _ = load_parts(s, DATA)
    model = read(TRAINED / f"{s.task.name}.json")
    scores = evaluate(s.task, model.run, parts)
    epochs = len(json.loads((TRAINED / "history" / f"{s.task.name}_history.json").read_text(encoding="utf-8"))["epoch"])
    write_metrics(Path("metrics"), s.task, scores, model.metadata, epochs)
    loss, baseline = scores["loss"], scores["baseline_loss"]
    print(f"{s.task.title}: loss {loss:.4f}, baseline {baseline:.4f}, skill {scores['skill']:.3f}")


if __name__ == "__main__":
    run(main)
