"""The dependencies in dvc.yaml are true and narrow, and stages import no more than they need."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kelly.tasks import TASKS

STAGES = ("generate", "split", "train", "export", "evaluate", "report")
# In the order in which they may import each other.
PACKAGES = (
    "runtime", "tasks", "config", "data", "features", "sources", "training", "rtneural", "export", "evaluation",
    "inspection",
    "plots", "report", "pipeline", "experiments", "audition", "commands",
)  # fmt: skip
# What a stage imports that cannot change its outputs: messages, the checking of settings, other networks, the reading
# of files that it does not read.
NO_EFFECT = {
    "generate": ("kelly/data/", "kelly/tasks/", "kelly/config/"),
    "split": ("kelly/config/", "kelly/tasks/"),
    "train": ("kelly/config/", "kelly/tasks/"),
    "export": ("kelly/config/", "kelly/tasks/", "kelly/training/"),
    "evaluate": ("kelly/config/", "kelly/tasks/"),
    "report": ("kelly/features/", "kelly/data/"),
}
ALWAYS_WITHOUT_EFFECT = ("kelly/runtime/", "stages/__init__.py", "stages/common.py")


def file_of(project: Path, module: str) -> Path | None:
    path = project.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imports_of(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    # Importing a.b.c runs a/__init__.py and a/b/__init__.py as well.
    return [name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)]


def imported_files(project: Path, stage: str) -> set[str]:
    """Every file of the project that a stage imports, directly or not, package files without code left out."""
    waiting, seen = [f"stages.{stage}"], set[Path]()
    while waiting:
        path = file_of(project, waiting.pop())
        if path is not None and path not in seen:
            seen.add(path)
            waiting += [name for name in imports_of(path) if name.split(".")[0] in ("kelly", "stages")]
    return {
        path.relative_to(project).as_posix()
        for path in seen
        if path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    }


def stage(project: Path, name: str) -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load((project / "dvc.yaml").read_text())["stages"][name]
    inner: dict[str, Any] = declared.get("do", declared)
    return inner


def code_of(project: Path, name: str, model: str = "melodytransformer") -> list[str]:
    """The code among the dependencies of a stage."""
    deps = [path.replace("${item}", model) for path in stage(project, name)["deps"]]
    return [path for path in deps if path.startswith(("kelly/", "stages/"))]


def covered(path: str, prefixes: list[str] | tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes)


def reruns(project: Path, path: str) -> Iterator[str]:
    """The stages that a change of a file reruns."""
    for name in STAGES:
        for model in TASKS if "do" in yaml.safe_load((project / "dvc.yaml").read_text())["stages"][name] else [""]:
            if covered(path, code_of(project, name, model)):
                yield f"{name}@{model}".rstrip("@")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_all_that_it_imports_but_what_cannot_change_its_outputs(project: Path, name: str) -> None:
    declared, imported = code_of(project, name), imported_files(project, name)
    without_effect = ALWAYS_WITHOUT_EFFECT + NO_EFFECT[name]
    assert [path for path in imported if not covered(path, declared) and not covered(path, without_effect)] == []
    assert [path for path in declared if not any(covered(file, [path]) for file in imported)] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("kelly/runtime/errors.py", set()),
        ("kelly/config/params.py", {"report"}),
        ("kelly/report/warnings.py", {"report"}),
        ("kelly/commands/inspect.py", set()),
        ("kelly/plots/style.py", {f"evaluate@{name}" for name in TASKS}),
        ("kelly/sources/readers/midi.py", {f"generate@{name}" for name in TASKS}),
        ("kelly/training/loop.py", {f"train@{name}" for name in TASKS}),
        (
            "kelly/tasks/harmonypredictor.py",
            {"train@harmonypredictor", "export@harmonypredictor", "evaluate@harmonypredictor", "report"},
        ),
    ],
)
def test_a_change_reruns_only_the_stages_that_it_can_affect(project: Path, path: str, expected: set[str]) -> None:
    assert (project / path).is_file()
    assert set(reruns(project, path)) == expected


def test_no_setting_becomes_part_of_a_shell_command(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    assert set(re.findall(r"\$\{(.*?)\}", text)) == {"networks", "item"}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_one_short_script_that_is_run_by_name(project: Path, name: str) -> None:
    assert stage(project, name)["cmd"].startswith(f"python -m stages.{name}")
    assert len((project / "stages" / f"{name}.py").read_text().splitlines()) <= 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("generate", {"torch", "matplotlib", "music21", "soundfile", "soxr", "pandas"}),
        ("split", {"torch", "matplotlib", "scipy", "music21"}),
        ("train", {"music21", "scipy", "symusic", "soundfile", "matplotlib", "sympy", "torch._dynamo", "pandas"}),
        ("export", {"music21", "scipy.stats", "matplotlib", "symusic", "soundfile", "sympy", "torch._dynamo"}),
        ("evaluate", {"torch", "matplotlib.pyplot", "music21", "symusic", "soundfile", "scipy.stats"}),
        ("report", {"torch", "matplotlib", "music21", "symusic", "scipy.stats"}),
    ],
)
def test_a_stage_does_not_import_what_it_does_not_need(project: Path, name: str, unwanted: set[str]) -> None:
    code = f"import sys, stages.{name}; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert unwanted & set(printed.stdout.split()) == set()


@pytest.mark.slow
def test_training_imports_nothing_more_while_it_runs(project: Path) -> None:
    # PyTorch's optimizers and its meta device import its compiler, which takes as long as the rest.
    code = (
        "import sys, torch; from kelly.networks import DynamicsEngine; from kelly.training import train\n"
        "batch = (torch.rand(8, 32), torch.rand(8, 16)); train(DynamicsEngine(), [batch], [batch])\n"
        "print('modules', *sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert not {"torch._dynamo", "sympy"} & set(printed.stdout.partition("modules ")[2].split())


def test_no_name_of_a_module_is_hidden_in_a_string(project: Path) -> None:
    for path in [*(project / "kelly").rglob("*.py"), *(project / "stages").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "resolve_name" not in text, path
        assert "import_module" not in text, path


def test_packages_import_each_other_in_one_direction(project: Path) -> None:
    for i, package in enumerate(PACKAGES):
        later = {"stages", *(f"kelly.{name}" for name in PACKAGES[i + 1 :])}
        for path in (project / "kelly" / package).rglob("*.py"):
            assert not later & set(imports_of(path)), path


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["melody"], ["melodytransformer", "groovepredictor"]])
def test_a_stage_without_the_name_of_a_network_lists_the_networks(project: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.split", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "expected one network: emotionrecognizer, melodytransformer" in done.stderr
    assert "Traceback" not in done.stderr
