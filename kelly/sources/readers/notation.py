"""Shared by the readers of notation: pitches of letters, notes of one voice with their ties, the beat of a metre."""

Voice = list[tuple[float, float, int]]  # onset and end in quarter notes, MIDI pitch

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TOLERANCE = 1e-6  # quarter notes


def append(notes: Voice, onset: float, length: float, pitch: int, is_tied: bool) -> None:
    """Append a note to a voice, or lengthen its last note if it is tied to it."""
    if is_tied and notes and notes[-1][2] == pitch and abs(notes[-1][1] - onset) < TOLERANCE:
        notes[-1] = (notes[-1][0], onset + length, pitch)
    else:
        notes.append((onset, onset + length, pitch))


def beat(numerator: int, denominator: int) -> float:
    """Quarter notes per beat: 1.5 in 6/8 and 3/8, 2 in alla breve, 1 in 3/4."""
    is_compound = numerator % 3 == 0 and (numerator > 3 or denominator >= 8)
    return 4.0 / denominator * (3 if is_compound else 1)
