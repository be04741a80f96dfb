"""benchmarks/results.json as the tables of docs/performance.md."""

from typing import Any

from kelly.tasks import TASKS


def tables(results: dict[str, Any]) -> str:
    """Markdown; a suite that was not run is left out."""
    made = [
        f"Machine: {', '.join(f'{key} {value}' for key, value in results['machine'].items())}.",
        *(table(results[name]) for name, table in TABLES.items() if name in results),
    ]
    return "\n\n".join(made) + "\n"


def training(found: dict[str, Any]) -> str:
    """Ratios, with their range over the rounds."""
    lines = [
        f"**Training** ({found['rounds']} rounds, {found['measured']}): one epoch with its validation, ours with one "
        "thread, the usual loop and Lightning with as many as serve them best (in brackets); range over the rounds.",
        "",
        "| network | ours, ms an epoch | µs a step | usual loop / ours | Lightning / ours | ours / limit |",
        "|---|---|---|---|---|---|",
    ]
    for name, task in TASKS.items():
        row = found[name]
        ranges = {way: f"{part['low']:.2f} to {part['high']:.2f}" for way, part in row["spread"].items()}
        threads = {way: part.get("threads") for way, part in row["spread"].items()}
        lines.append(
            f"| {task.title} | {row['ms_per_epoch']:,.1f} | {row['us_per_step']:,.0f} "
            f"| {row['dataloader_ratio']:.2f}, {ranges['dataloader']} ({threads['dataloader']}) "
            f"| {row['lightning_ratio']:.2f}, {ranges['lightning']} ({threads['lightning']}) "
            f"| {row['limit_ratio']:.2f}, {ranges['limit']} |"
        )
    whole = found["all"]
    one, spread = whole["one_process"], whole["spread"]["lightning"]
    lines += [
        f"| all five, one process each | {one['ms_per_epoch']:,.0f} | | {one['dataloader_ratio']:.2f} "
        f"| {one['lightning_ratio']:.2f} | {one['limit_ratio']:.2f} |",
        f"| all five, ours in {whole['processes']} processes side by side | {whole['ms_per_epoch']:,.0f} | | "
        f"| {whole['lightning_ratio']:.2f}, {spread['low']:.2f} to {spread['high']:.2f} | |",
    ]
    return "\n".join(lines)


def pieces(found: dict[str, Any]) -> str:
    """Milliseconds of each piece."""
    names = list(found[next(iter(TASKS))])
    lines = [
        "**Pieces**, ms (median, range):",
        "",
        f"| network | {' | '.join(name.removesuffix(', ms') for name in names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for name, task in TASKS.items():
        cells = [f"{v['median']:.3g}, {v['low']:.3g} to {v['high']:.3g}" for v in found[name].values()]
        lines.append(f"| {task.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scale(found: dict[str, Any]) -> str:
    """Cost a step by the size of the data."""
    lines = [
        "**Scale**, rows memory-mapped:",
        "",
        "| network | rows | data, MB | µs a step (median, range) | peak memory of the process, MB |",
        "|---|---|---|---|---|",
    ]
    for name, task in TASKS.items():
        for rows, row in found.get(name, {}).items():
            step = row["us_per_step"]
            lines.append(
                f"| {task.title} | {int(rows):,} | {row['data_mb']:,.0f} | {step['median']:,.0f}, {step['low']:,.0f} "
                f"to {step['high']:,.0f} | {row['peak_memory_mb']:,.0f} |"
            )
    return "\n".join(lines)


def stages(found: dict[str, Any]) -> str:
    """Seconds of each stage, and of the whole."""
    lines = [
        f"**Stages** ({found['rounds']} rounds of the whole, {found['measured']}), seconds over all networks, one "
        "after another, one epoch of training:",
        "",
        "| stage | start of Python | imports | work | processor time | peak memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found["stages"].items():
        lines.append(
            f"| {name} | {row['start']:.2f} | {row['imports']:.1f} | {row['work']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['peak_memory_mb']:,.0f} |"
        )
    lines.append(f"| DVC and the command itself | | | | {found['dvc_cpu_seconds']:.1f} | |")
    lines += ["", f"| seconds of a stage | {' | '.join(task.title for task in TASKS.values())} |", "|---" * 6 + "|"]
    for name, row in found["stages"].items():
        if seconds := row["networks"]:
            lines.append(f"| {name} | {' | '.join(f'{seconds[model]:.1f}' for model in TASKS)} |")
    whole = "the whole pipeline, one epoch of training"
    lines += ["", f"| {whole} | seconds (median, range) | processor time |", "|---|---|---|"]
    for name, row in found["whole"].items():
        cpu = f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else ""
        seconds = row["seconds"]
        lines.append(f"| {name} | {seconds['median']:.1f}, {seconds['low']:.1f} to {seconds['high']:.1f} | {cpu} |")
    return "\n".join(lines)


def extraction(found: dict[str, Any]) -> str:
    """Files a second."""
    lines = [
        f"**Extraction** of {found['files']:,} MIDI files:",
        "",
        "| processes | files a second (median, range) | peak memory, MB |",
        "|---|---|---|",
    ]
    for name, row in found.items():
        if isinstance(row, dict):
            rate = row["files_per_s"]
            lines.append(
                f"| {name.partition(' ')[0]} | {rate['median']:.0f}, {rate['low']:.0f} to {rate['high']:.0f} "
                f"| {row['peak_memory_mb']:,.0f} |"
            )
    return "\n".join(lines)


TABLES = {"training": training, "pieces": pieces, "scale": scale, "stages": stages, "extraction": extraction}
