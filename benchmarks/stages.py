"""What the pipeline takes beside training: each stage in start of Python, imports and work, DVC, and all at once.

Runs in a clone of the last commit, with one epoch of training.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm, trange

from benchmarks.measure import in_turns, spread
from benchmarks.processes import run
from kelly.tasks import TASKS

STAGES = ("generate", "split", "train", "export", "evaluate")
PROJECT = Path(__file__).parents[1]
KELLY, DVC = (str(PROJECT / ".venv/bin" / name) for name in ("kelly", "dvc"))


def measure(rounds: int) -> dict[str, Any]:
    """Seconds of everything but the training itself."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "kelly"
        nothing_there = []
        for _ in trange(rounds, desc="from nothing", unit="run", disable=None):
            shutil.rmtree(clone, ignore_errors=True)
            subprocess.run(["git", "clone", "-q", str(PROJECT), str(clone)], check=True)
            settings = (clone / "params.yaml").read_text()
            (clone / "params.yaml").write_text(settings.replace("epochs: 50 ", "epochs: 1 "))
            nothing_there.append(run(["repro"], clone, KELLY))
        cpu_seconds = median(one.cpu_seconds for one in nothing_there)
        whole: dict[str, Any] = {
            "kelly repro, from nothing": {
                "seconds": spread([one.seconds for one in nothing_there]),
                "cpu_seconds": cpu_seconds,
            }
        }
        unchanged = {"kelly repro, nothing to do": [KELLY, "repro"], "dvc repro, nothing to do": [DVC, "repro"]}
        ways = {
            what: lambda command=command: run(command[1:], clone, command[0]).seconds
            for what, command in unchanged.items()
        }
        whole |= {what: {"seconds": spread(taken)} for what, taken in in_turns(ways, rounds, "nothing to do").items()}
        stages = by_stage(clone)
        own = cpu_seconds - sum(stage["cpu_seconds"] for stage in stages.values())
        return {"whole": whole, "stages": stages, "dvc_cpu_seconds": own}


def by_stage(clone: Path) -> dict[str, Any]:
    """Seconds of each stage over all networks: start of Python, imports, work; processor time, and peak memory."""
    start = run(["-c", "pass"], clone).seconds
    found = {}
    for stage in tqdm([*STAGES, "report"], desc="stages", unit="stage", disable=None):
        imports = run(["-c", f"import stages.{stage}"], clone).seconds - start
        networks = list(TASKS) if stage != "report" else [""]
        runs = [run(["-m", f"stages.{stage}", *filter(None, [name])], clone) for name in networks]
        found[stage] = {
            "start": start * len(runs),
            "imports": imports * len(runs),
            "work": sum(one.seconds - start - imports for one in runs),
            "cpu_seconds": sum(one.cpu_seconds for one in runs),
            "peak_memory_mb": max(one.peak_memory for one in runs) / 1e6,
            "networks": {name: one.seconds for name, one in zip(networks, runs, strict=True) if name},
        }
    return found
