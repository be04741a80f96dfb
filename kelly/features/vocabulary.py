"""Names of what the networks predict: the 64 chords, and the sixteen expression parameters. Part of the contract."""

ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")  # the tonic is C
QUALITIES = ("maj", "min", "7", "maj7", "min7")
CHORDS = (*(f"{root}:{quality}" for root in ROOTS for quality in QUALITIES), "dim", "aug", "sus", "N")
NUM_CHORDS = len(CHORDS)
NO_CHORD = CHORDS.index("N")

# The sixteen expression parameters and their units; each is clipped to 0..1.
DYNAMICS: tuple[tuple[str, str], ...] = (
    ("mean_velocity", "velocity / 127"),
    ("velocity_sd", "2 velocity / 127"),
    ("velocity_range", "(95 % quantile - 5 % quantile) / 127"),
    ("loud_velocity", "95 % quantile / 127"),
    ("soft_velocity", "5 % quantile / 127"),
    ("crescendo", "0.5 + 0.5 (second half - first half) / 32 velocity"),
    ("high_accent", "0.5 + 0.5 (highest-pitched quarter - mean) / 32 velocity"),
    ("low_accent", "0.5 + 0.5 (lowest-pitched quarter - mean) / 32 velocity"),
    ("soft_share", "share of notes below 0.75 of the mean velocity"),
    ("loud_share", "share of notes above 1.25 of the mean velocity"),
    ("articulation", "median (duration / gap to the next onset) / 2"),
    ("articulation_sd", "sd (duration / gap to the next onset) / 1.5"),
    ("chord_spread", "mean onset spread of chords / 50 ms"),
    ("rhythm_sd", "sd of log2 inter-onset interval / 2"),
    ("velocity_step", "mean change from note to note / 64 velocity"),
    ("pitch_velocity", "0.5 + 0.5 correlation of pitch and velocity"),
)
# Drums have no pitch height: three parameters are the accents of the bar instead.
DRUM_DYNAMICS: tuple[tuple[str, str], ...] = tuple(
    {
        "high_accent": ("downbeat_accent", "0.5 + 0.5 (quarters 1 and 3 - mean) / 32 velocity"),
        "low_accent": ("backbeat_accent", "0.5 + 0.5 (quarters 2 and 4 - mean) / 32 velocity"),
        "pitch_velocity": ("offbeat_accent", "0.5 + 0.5 (eighths between the quarters - mean) / 32 velocity"),
    }.get(name, (name, unit))
    for name, unit in DYNAMICS
)
