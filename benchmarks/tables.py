"""benchmarks/results.json as the tables of docs/performance.md."""

from typing import Any

from kelly.tasks import TASKS

Results = dict[str, Any]
TITLES = [task.title for task in TASKS.values()]


def tables(results: Results) -> str:
    """All tables as Markdown, without suites that were not run."""
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    sections = [f"Machine: {machine}.", *(table(results[name]) for name, table in TABLES.items() if name in results)]
    return "\n\n".join(sections) + "\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    """One Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def interval(values: dict[str, float], form: str) -> str:
    """Median (where there is one) and range."""
    middle = f"{values['median']:{form}}, " if "median" in values else ""
    return f"{middle}{values['low']:{form}} to {values['high']:{form}}"


def training(results: Results) -> str:
    """Ratios, with their range over the rounds."""
    rows = []
    for name, task in TASKS.items():
        row, spread = results[name], results[name]["spread"]
        loops = [
            f"{row[f'{loop}_ratio']:.2f}, {interval(spread[loop], '.2f')} ({spread[loop]['threads']})"
            for loop in ("dataloader", "lightning")
        ]
        limit = f"{row['limit_ratio']:.2f}, {interval(spread['limit'], '.2f')}"
        rows.append([task.title, f"{row['ms_per_epoch']:,.1f}", f"{row['us_per_step']:,.0f}", *loops, limit])
    both = results["all"]
    one, spread = both["one_process"], both["spread"]["lightning"]
    ratios = [f"{one[key]:.2f}" for key in ("dataloader_ratio", "lightning_ratio", "limit_ratio")]
    rows.append(["all five, one process each", f"{one['ms_per_epoch']:,.0f}", "", *ratios])
    lightning = f"{both['lightning_ratio']:.2f}, {interval(spread, '.2f')}"
    parallel = f"all five, ours in {both['processes']} parallel processes"
    rows.append([parallel, f"{both['ms_per_epoch']:,.0f}", "", "", lightning, ""])
    header = ["network", "ours, ms per epoch", "µs per step", "usual loop / ours", "Lightning / ours", "ours / limit"]
    return (
        f"**Training** ({results['rounds']} rounds, {results['measured']}): one epoch with its validation. Ours has "
        "one thread, the usual loop and Lightning their best number (in brackets); ratios with their range over the "
        "rounds.\n\n" + table(header, rows)
    )


def components(results: Results) -> str:
    """Milliseconds of each component."""
    names = list(results[next(iter(TASKS))])
    rows = [[task.title, *(interval(v, ".3g") for v in results[name].values())] for name, task in TASKS.items()]
    header = ["network", *(name.removesuffix(", ms") for name in names)]
    return f"**Components**, ms (median, range):\n\n{table(header, rows)}"


def scale(results: Results) -> str:
    """Time per step by the size of the data."""
    rows = [
        [
            TASKS[name].title,
            f"{int(num_rows):,}",
            f"{row['data_mb']:,.0f}",
            interval(row["us_per_step"], ",.0f"),
            f"{row['peak_memory_mb']:,.0f}",
        ]
        for name in TASKS
        for num_rows, row in results.get(name, {}).items()
    ]
    header = ["network", "rows", "data, MB", "µs per step (median, range)", "peak memory of the process, MB"]
    return f"**Scale**, memory-mapped rows:\n\n{table(header, rows)}"


def stages(results: Results) -> str:
    """Seconds of each stage and of the whole pipeline."""
    summary = [
        [
            name,
            f"{row['start']:.2f}",
            *(f"{row[key]:.1f}" for key in ("imports", "work", "cpu_seconds")),
            f"{row['peak_memory_mb']:,.0f}",
        ]
        for name, row in results["stages"].items()
    ]
    summary.append(["DVC and the command itself", "", "", "", f"{results['dvc_cpu_seconds']:.1f}", ""])
    by_network = [
        [name, *(f"{row['networks'][model]:.1f}" for model in TASKS)]
        for name, row in results["stages"].items()
        if row["networks"]
    ]
    whole = [
        [name, interval(row["seconds"], ".1f"), f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else ""]
        for name, row in results["whole"].items()
    ]
    header = ["stage", "start of Python", "imports", "work", "processor time", "peak memory, MB"]
    return "\n\n".join(
        [
            f"**Stages** ({results['rounds']} rounds of the whole, {results['measured']}), seconds over all networks, "
            "one after another, one epoch of training:",
            table(header, summary),
            table(["seconds of a stage", *TITLES], by_network),
            table(["the whole pipeline, one epoch of training", "seconds (median, range)", "processor time"], whole),
        ]
    )


def extraction(results: Results) -> str:
    """Files per second."""
    rows = [
        [name.partition(" ")[0], interval(row["files_per_s"], ".0f"), f"{row['peak_memory_mb']:,.0f}"]
        for name, row in results.items()
        if isinstance(row, dict)
    ]
    header = ["processes", "files per second (median, range)", "peak memory, MB"]
    return f"**Extraction** of {results['files']:,} MIDI files:\n\n{table(header, rows)}"


TABLES = {"training": training, "components": components, "scale": scale, "stages": stages, "extraction": extraction}
