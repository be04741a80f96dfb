"""Write a phrase that the networks compose for an emotion as a MIDI file."""

import argparse
from dataclasses import replace
from pathlib import Path

from kelly.audition.phrase import PARTS
from kelly.runtime.console import folder
from kelly.runtime.errors import KellyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("output", type=Path, metavar="FILE.mid", help="the file")
    parser.add_argument("--valence", type=float, required=True, help="negative to positive, -1 to 1")
    parser.add_argument("--arousal", type=float, required=True, help="calm to excited, -1 to 1")
    parser.add_argument("--seed", type=int, default=42, help="of the random numbers (default: %(default)s)")
    parser.add_argument("--bars", type=int, default=8, help="length of the phrase (default: %(default)s)")
    parser.add_argument("--tempo", type=int, metavar="BPM", help="default: derived from the arousal")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--revision", metavar="REV", help="a git revision or DVC experiment (default: --models)")
    parser.add_argument("--models", type=folder, help="a folder with five exports (default: trained_models)")


def run(args: argparse.Namespace) -> None:
    """Write the phrase and print its statistics. Raises KellyError where the output is another file."""
    from kelly.audition.composing import check, compose
    from kelly.audition.midi_file import CREATOR, midi_file
    from kelly.audition.networks import load_exports
    from kelly.audition.output import check_overwrite, write
    from kelly.audition.summary import describe_phrase, network_warnings

    check_overwrite(args.output, f"{CREATOR}: valence ".encode())
    check(args.valence, args.arousal, args.seed, args.bars, args.tempo)
    if args.output.suffix.lower() not in (".mid", ".midi"):
        raise KellyError(f"{args.output}: expected a name that ends with .mid")
    exports = load_exports(args.revision, args.models)
    phrase = compose(exports.models, args.valence, args.arousal, seed=args.seed, bars=args.bars, bpm=args.tempo)
    write(args.output, midi_file(phrase, args.parts))
    played = replace(phrase, notes=tuple(note for note in phrase.notes if note.part in args.parts))
    print(f"{args.output}: {phrase.bars} bars of {', '.join(args.parts)}, {describe_phrase(played)}")
    for line in network_warnings(exports, [(args.valence, args.arousal)]):
        print(line)
