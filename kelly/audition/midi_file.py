"""A phrase as a Standard MIDI File."""

import io
from collections.abc import Iterable

from mido import Message, MetaMessage, MidiFile, MidiTrack

from kelly.audition.phrase import PARTS, TICKS_PER_QUARTER, Phrase, round_half_up

CREATOR = "Kelly MIDI Companion"


def midi_file(phrase: Phrase, parts: Iterable[str] = tuple(PARTS)) -> bytes:
    """The bytes of a type 1 file: a track of tempo and metre, then one for each of the `parts`."""
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    head = MidiTrack()
    head.append(MetaMessage("text", text=description(phrase)))
    head.append(MetaMessage("set_tempo", tempo=round_half_up(60e6 / phrase.bpm)))
    head.append(MetaMessage("time_signature", numerator=4, denominator=4))
    file.tracks.append(head)
    for name in (name for name in PARTS if name in parts):
        file.tracks.append(track(phrase, name))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def description(phrase: Phrase) -> str:
    """The text event of the file: what the phrase was composed from."""
    valence, arousal = (f"{round_half_up(value * 1e4) / 1e4:.4f}" for value in (phrase.valence, phrase.arousal))
    return f"{CREATOR}: valence {valence}, arousal {arousal}, seed {phrase.seed}, {phrase.bars} bars"


def track(phrase: Phrase, name: str) -> MidiTrack:
    """One part; at the same tick notes end before others begin."""
    part = PARTS[name]
    track = MidiTrack()
    track.append(MetaMessage("track_name", name=name))
    if part.channel != 9:
        track.append(Message("program_change", channel=part.channel, program=part.program))
    events = []
    for note in phrase.notes:
        if note.part == name:
            events.append((note.onset, 1, note.pitch, note.velocity))
            events.append((note.onset + note.duration, 0, note.pitch, 0))
    now = 0
    for tick, is_onset, pitch, velocity in sorted(events):
        kind = "note_on" if is_onset else "note_off"
        track.append(Message(kind, channel=part.channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    return track
