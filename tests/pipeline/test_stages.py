"""dvc.yaml says the truth about what each stage imports, and stages pay for no import that they do not need."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kelly.tasks import TASKS

STAGES = ("generate", "split", "train", "export", "evaluate", "report")
ROOMS = (
    "safety", "settings", "prepared", "inputs", "datasets", "training", "rtneural", "evaluation", "exports", "report",
)  # fmt: skip
# Looked up by name at run time, by the stage on the left from the field of the task table on the right.
LOOKED_UP = {
    "generate": r"kelly\.datasets\.[\w.]+:",
    "export": r"kelly\.exports\.contract:",
    "evaluate": r"kelly\.(?:evaluation|pictures)\.\w+:",
}


def file_of(project: Path, module: str) -> Path | None:
    path = project.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    # Importing a.b.c runs a/__init__.py and a/b/__init__.py as well.
    return [name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)]


def import_graph(project: Path, stage: str) -> set[str]:
    """Every file of the project that a stage imports, directly or not."""
    looked_up = re.findall(LOOKED_UP.get(stage, "(?!)"), (project / "kelly/tasks/__init__.py").read_text())
    waiting = [f"stages.{stage}", *(name.rstrip(":") for name in looked_up)]
    seen: set[Path] = set()
    while waiting:
        path = file_of(project, waiting.pop())
        if path is not None and path not in seen:
            seen.add(path)
            waiting += [name for name in imported(path) if name.split(".")[0] in ("kelly", "stages")]
    return {p.relative_to(project).as_posix() for p in seen if p.name != "__init__.py" or has_code(p)}


def has_code(path: Path) -> bool:
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def stage(project: Path, name: str) -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load((project / "dvc.yaml").read_text())["stages"][name]
    inner: dict[str, Any] = declared.get("do", declared)
    return inner


@pytest.mark.parametrize("name", STAGES)
def test_the_dependencies_of_a_stage_are_the_modules_it_imports(project: Path, name: str) -> None:
    declared = [path for path in stage(project, name)["deps"] if path.startswith(("kelly/", "stages/"))]
    needed = import_graph(project, name)
    folders = [path for path in declared if (project / path).is_dir()]
    files = {path for path in needed if not any(path.startswith(f"{folder}/") for folder in folders)}
    assert files == set(declared) - set(folders)
    assert all(any(path.startswith(f"{folder}/") for path in needed) for folder in folders)


def test_the_networks_of_the_pipeline_are_those_of_the_task_table(project: Path) -> None:
    assert yaml.safe_load((project / "dvc.yaml").read_text())["vars"] == [{"networks": list(TASKS)}]


def test_no_setting_becomes_part_of_a_shell_command(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    assert set(re.findall(r"\$\{(.*?)\}", text)) == {"networks", "item"}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_one_short_script_that_is_run_by_name(project: Path, name: str) -> None:
    assert stage(project, name)["cmd"].startswith(f"python -m stages.{name}")
    assert len((project / "stages" / f"{name}.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("generate", {"torch", "matplotlib", "scipy", "music21", "soundfile", "soxr"}),
        ("split", {"torch", "matplotlib", "scipy", "music21"}),
        ("train", {"music21", "scipy", "symusic", "soundfile", "matplotlib", "sympy", "torch._dynamo"}),
        ("export", {"music21", "scipy.stats", "matplotlib", "soundfile", "sympy", "torch._dynamo"}),
        ("evaluate", {"torch", "matplotlib.pyplot", "music21", "symusic", "soundfile", "scipy.stats"}),
        ("report", {"torch", "matplotlib", "music21", "symusic", "scipy.stats"}),
    ],
)
def test_a_stage_does_not_import_what_it_does_not_need(project: Path, name: str, unwanted: set[str]) -> None:
    code = f"import sys, stages.{name}; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert unwanted & set(printed.stdout.split()) == set()


def test_training_needs_no_more_than_it_imports_at_first(project: Path) -> None:
    # PyTorch's own optimizers and its meta device bring its compiler with them, which takes as long as all the rest.
    code = (
        "import sys, torch; from kelly.networks import DynamicsEngine; from kelly.training import train\n"
        "batch = (torch.rand(8, 32), torch.rand(8, 16)); train(DynamicsEngine(), [batch], [batch], epochs=2)\n"
        "print('modules', *sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert not {"torch._dynamo", "sympy"} & set(printed.stdout.partition("modules ")[2].split())


def test_the_library_never_imports_stages(project: Path) -> None:
    for path in (project / "kelly").rglob("*.py"):
        assert not any(name.split(".")[0] == "stages" for name in imported(path)), path


def test_nothing_imports_against_the_way_of_the_data(project: Path) -> None:
    for i, room in enumerate(ROOMS):
        later = {f"kelly.{name}" for name in ROOMS[i + 1 :]}
        for path in (project / "kelly" / room).rglob("*.py"):
            assert not later & set(imported(path)), path


@pytest.mark.parametrize("arguments", [[], ["melody"], ["melodytransformer", "groovepredictor"]])
def test_a_stage_without_the_name_of_a_network_says_which_there_are(project: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.split", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "expected one network: emotionrecognizer, melodytransformer" in done.stderr
    assert "Traceback" not in done.stderr
