"""Kills every command that writes, at random times, and compares its final outputs with those of an unbroken run.

`python tests/kill_anywhere.py --kills 200` runs a long campaign; tests/training/test_kill_anywhere.py a short one.
The cases are in tests/support/kill_cases.py. Half of the kills hit the command alone, half its process group. After
every kill no process may be left 15 s later, and each file must be complete; in the end, when the command has run
again, every file of the clone must have the bytes of the unbroken run, and no temporary file may be left.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from support.clone import environment
from support.kill_cases import CASES, Case, copy, finished, fresh
from support.kill_outputs import contents, differences, incomplete, is_temporary, neither, outputs
from support.kill_processes import run_for, stop_orphans

from kelly.pipeline.dvc_files import INDEX_LOCK

MAX_KILLS = 3  # of one run
# DVC refuses to start, and docs/reliability.md says how to go on.
DOCUMENTED = re.compile(r"rwlock|dvc\.lock|index\.lock")
COLUMNS = ("case", "kills", "same bytes", "documented exceptions", "orphans", "left-over files", "failures")


@dataclass
class Result:
    """What became of the kills of one case.

    same: kills after which the command ended with the bytes of the unbroken run; exceptions: documented refusals of DVC
    orphans: processes that were left after a kill; left_over: temporary files in the end
    """

    name: str
    kills: int = 0
    same: int = 0
    exceptions: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Everything that is not as documented."""
        return self.failures + self.orphans + self.left_over

    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        lists = (self.exceptions, self.orphans, self.left_over, self.failures)
        return (self.name, str(self.kills), str(self.same), *(str(len(lines)) for lines in lists))


class Trial:
    """One run of a case in a clone of its own: killed a few times, then repeated to its end."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.log = folder.with_suffix(".log")
        self.exceptions: list[str] = []
        self.failures: list[str] = []

    def run(self, seconds: float | None = None, group: bool = True, repaired: bool = False) -> bool:
        """Run the command, and kill it after `seconds`; return whether it ended by itself.

        Where DVC refuses to start as documented, its files are repaired and the command is run again, once.
        """
        start = self.log.stat().st_size if self.log.exists() else 0
        code = run_for(self.case.command(self.folder), self.folder, self.log, seconds, group)
        if code:
            with self.log.open("rb") as file:
                file.seek(start)
                printed = file.read().decode(errors="replace")
            if repaired or code < 0 or not DOCUMENTED.search(printed):
                self.failures.append(f"exit {code}: {printed.strip().splitlines()[-1]}")
                return True
            self.exceptions.append(printed.strip().splitlines()[-1])
            self.repair()
            return self.run(seconds, group, repaired=True)
        return code is not None

    def repair(self) -> None:
        """What docs/reliability.md advises where DVC does not start."""
        done = subprocess.run(
            ["kelly", "check"], cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.failures.append(f"kelly check: exit {done.returncode}: {done.stderr.strip()}")
        if str(INDEX_LOCK) in done.stdout:
            (self.folder / INDEX_LOCK).unlink(missing_ok=True)


class Campaign:
    """The kills of one case.

    base: the clone that the case begins with; folder: of its runs, each in its own clone
    """

    def __init__(self, case: Case, base: Path, folder: Path, seed: int) -> None:
        self.case, self.folder, self.seed = case, folder, seed
        self.prepared = folder / "prepared"
        folder.mkdir(parents=True)
        case.prepare(copy(base, self.prepared))
        self.before = contents(self.prepared, case.digests)
        unbroken = Trial(case, folder / "unbroken")
        shutil.copytree(self.prepared, unbroken.folder, symlinks=True)
        start = time.monotonic()
        unbroken.run()
        self.seconds = time.monotonic() - start
        assert not unbroken.failures, unbroken.failures
        print(f"{case.name}: an unbroken run takes {self.seconds:.1f} s", flush=True)
        self.expected = contents(unbroken.folder, case.digests)
        self.result = Result(case.name)

    def run(self, num_kills: int) -> Result:
        """Kill `num_kills` times, in as many runs as that takes; fewer, if most runs end before they are killed."""
        for number in range(2 * num_kills + 3):
            if self.result.kills >= num_kills:
                break
            self.trial(number, num_kills - self.result.kills)
        return self.result

    def trial(self, number: int, most: int) -> None:
        """Kill one run at random times, `most` times or fewer; repeat it to its end and compare."""
        rng = random.Random(f"{self.seed} {self.case.name} {number}")
        trial, result = Trial(self.case, self.folder / f"{number:03}"), self.result
        shutil.copytree(self.prepared, trial.folder, symlinks=True)
        orphans: list[str] = []
        kills: list[str] = []
        for _ in range(rng.randint(1, min(MAX_KILLS, most))):
            seconds = rng.uniform(0.0, self.seconds)
            group = (CASES.index(self.case) + result.kills + len(kills)) % 2 == 0
            start = time.monotonic()
            if trial.run(seconds, group):  # the machine may have been busier when the duration was measured
                self.seconds = min(self.seconds, time.monotonic() - start)
                break
            kills.append(f"{seconds:.2f} s {'group' if group else 'alone'}")
            orphans += stop_orphans(trial.folder)
            trial.failures += [f"{name} is incomplete" for name in incomplete(trial.folder)]
            if self.case.one_step:
                trial.failures += neither(contents(trial.folder, self.case.digests), self.before, self.expected)
        trial.run()
        trial.failures += differences(contents(trial.folder, self.case.digests), self.expected)
        paths = (path.relative_to(trial.folder) for path in outputs(trial.folder))
        temporary = [path for path in paths if is_temporary(path)]
        where = f"{self.case.name}, seed {self.seed}, run {number} in {trial.folder}, killed at {', '.join(kills)}"
        result.kills += len(kills)
        result.same += 0 if trial.failures else len(kills)
        exceptions = [f"{where}: documented: {line}" for line in trial.exceptions]
        orphans = [f"{where}: orphan: {line}" for line in orphans]
        left_over = [f"{where}: left over: {path}" for path in temporary]
        failures = [f"{where}: {line}" for line in trial.failures]
        print("\n".join([*exceptions, *orphans, *left_over, *failures] or [f"{where}: same bytes"]), flush=True)
        result.exceptions += exceptions
        result.orphans += orphans
        result.left_over += left_over
        result.failures += failures
        if not (orphans or left_over or failures):
            shutil.rmtree(trial.folder)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def base_clones(project: Path, root: Path, cases: list[Case]) -> dict[str, Path]:
    """The clones that cases begin with, made unless a campaign in the same folder made them."""
    bases = {"fresh": root / "fresh", "finished": root / "finished"}
    if not bases["fresh"].exists():
        fresh(project, bases["fresh"])
    if any(case.base == "finished" for case in cases) and not (root / "finished.ok").exists():
        shutil.rmtree(bases["finished"], ignore_errors=True)
        finished(bases["finished"], bases["fresh"])
        (root / "finished.ok").touch()
    return bases


def main() -> None:
    """Run campaigns in copies of the project and print the counts; exit 1 if there is any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="total number (%(default)s)")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose names begin with this (all)")
    parser.add_argument("--seed", type=int, default=1, help="of the times (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns at a time (%(default)s)")
    parser.add_argument("--folder", type=Path, help="of the clones; prepared ones are used again (a temporary one)")
    arguments = parser.parse_args()
    cases = [case for case in CASES if case.name.startswith(tuple(arguments.only))]
    if not cases:
        parser.error(f"--only: expected the beginning of one of: {', '.join(case.name for case in CASES)}")
    root = (arguments.folder or Path(tempfile.mkdtemp(prefix="kelly-kills-"))).resolve()
    root.mkdir(parents=True, exist_ok=True)
    # DVC keeps a folder for each clone, and killed programs leave temporary ones.
    os.environ |= {"DVC_SITE_CACHE_DIR": str(root / "dvc"), "TMPDIR": str(root / "tmp")}
    (root / "tmp").mkdir(exist_ok=True)
    bases = base_clones(Path(__file__).parents[1], root, cases)
    runs = Path(tempfile.mkdtemp(prefix="runs-", dir=root))

    def campaign(i: int, case: Case) -> Result:
        num_kills = arguments.kills * (i + 1) // len(cases) - arguments.kills * i // len(cases)
        folder = runs / re.sub(r"\W+", "-", case.name)
        try:
            return Campaign(case, bases[case.base], folder, arguments.seed).run(num_kills)
        except AssertionError as error:
            return Result(case.name, failures=[f"{case.name}: the unbroken run failed in {folder}: {error}"])

    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(campaign, range(len(cases)), cases))
    print(table([COLUMNS, *(result.row() for result in results)]))
    print("\n".join(line for result in results for line in result.exceptions))
    if faults := [line for result in results for line in result.faults]:
        sys.exit("\n".join(faults))
    shutil.rmtree(runs if arguments.folder else root)


if __name__ == "__main__":
    main()
