"""Time of the pipeline apart from training: each stage (start of Python, imports, work), DVC, and the whole.

Runs in a clone of the last commit, with one epoch of training.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm, trange

from benchmarks.measure import alternate, spread
from benchmarks.processes import run
from kelly.tasks import TASKS

STAGES = ("generate", "split", "train", "export", "evaluate")
PROJECT = Path(__file__).parents[1]
KELLY, DVC = (str(PROJECT / ".venv/bin" / name) for name in ("kelly", "dvc"))


def measure(rounds: int) -> dict[str, Any]:
    """Seconds of the whole pipeline and of each stage."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "kelly"
        runs = []
        for _ in trange(rounds, desc="from nothing", unit="run", disable=None):
            shutil.rmtree(clone, ignore_errors=True)
            subprocess.run(["git", "clone", "-q", str(PROJECT), str(clone)], check=True)
            params = (clone / "params.yaml").read_text()
            (clone / "params.yaml").write_text(params.replace("epochs: 50 ", "epochs: 1 "))
            runs.append(run([KELLY, "repro"], clone))
        cpu_seconds = median(r.cpu_seconds for r in runs)
        whole: dict[str, Any] = {
            "kelly repro, from nothing": {"seconds": spread([r.seconds for r in runs]), "cpu_seconds": cpu_seconds}
        }
        unchanged = {
            "kelly repro, nothing to do": lambda: run([KELLY, "repro"], clone).seconds,
            "dvc repro, nothing to do": lambda: run([DVC, "repro"], clone).seconds,
        }
        seconds = alternate(unchanged, rounds, "nothing to do")
        whole |= {command: {"seconds": spread(values)} for command, values in seconds.items()}
        stages = by_stage(clone)
        dvc_cpu_seconds = cpu_seconds - sum(stage["cpu_seconds"] for stage in stages.values())
        return {"whole": whole, "stages": stages, "dvc_cpu_seconds": dvc_cpu_seconds}


def by_stage(clone: Path) -> dict[str, Any]:
    """Seconds of each stage over all networks: start of Python, imports, work; processor time, and peak memory."""
    start = run([sys.executable, "-c", "pass"], clone).seconds
    result = {}
    for stage in tqdm([*STAGES, "report"], desc="stages", unit="stage", disable=None):
        imports = run([sys.executable, "-c", f"import stages.{stage}"], clone).seconds - start
        networks = list(TASKS) if stage != "report" else [""]
        runs = [run([sys.executable, "-m", f"stages.{stage}", *filter(None, [name])], clone) for name in networks]
        result[stage] = {
            "start": start * len(runs),
            "imports": imports * len(runs),
            "work": sum(r.seconds - start - imports for r in runs),
            "cpu_seconds": sum(r.cpu_seconds for r in runs),
            "peak_memory_mb": max(r.peak_memory for r in runs) / 1e6,
            "networks": {name: r.seconds for name, r in zip(networks, runs, strict=True) if name},
        }
    return result
