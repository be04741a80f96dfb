"""Write a page that plays the networks in a browser."""

import argparse
from pathlib import Path

from kelly.runtime.console import folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("revisions", nargs="*", metavar="REV",
                        help="git revisions or DVC experiments to switch between (default: --models)")  # fmt: skip
    parser.add_argument("--models", type=folder, help="a folder with five exports (default: trained_models)")
    parser.add_argument("--output", type=Path, default=Path("audition.html"), help="the page (default: %(default)s)")
    parser.add_argument("--serve", action="store_true", help="also serve the page on localhost until Ctrl-C")
    parser.add_argument("--port", type=int, default=8000, help="port for --serve (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in the default browser")


def run(args: argparse.Namespace) -> None:
    """Write the page, and print how the networks follow the emotion.

    Raises KellyError where the output is another file, or the port is taken.
    """
    from kelly.audition.networks import load_exports
    from kelly.audition.output import check_overwrite, write
    from kelly.audition.page import render_page
    from kelly.audition.quadrants import QUADRANTS, quadrant_stats, table
    from kelly.audition.server import open_in_browser, serve
    from kelly.audition.summary import network_warnings

    check_overwrite(args.output, b"<title>Kelly audition")
    experiments = [load_exports(name, args.models) for name in args.revisions or [None]]
    content = render_page(experiments).encode()
    write(args.output, content)
    names = ", ".join(exports.name for exports in experiments)
    print(f"{args.output}: {names}, {len(content) / 1e6:.1f} MB, self-contained; open it in a browser")
    for exports in experiments:
        print(f"\n{exports.name}\n{table(quadrant_stats(exports.models))}")
        for line in network_warnings(exports, QUADRANTS.values()):
            print(line, flush=True)
    if args.serve:
        serve(content, args.port, args.open)
    elif args.open:
        open_in_browser(args.output.resolve().as_uri())
