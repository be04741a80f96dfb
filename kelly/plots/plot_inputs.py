"""What a picture of predictions is drawn from, and the file that it becomes.

A network's picture is a function of `PlotInputs` that returns a figure; the task table names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.evaluation.metrics import Predicted
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import style

Floats = NDArray[np.float64]

# The corners of the emotion plane, by words that people use for them: valence and arousal, and a colour.
CORNERS = {
    "happy": (0.7, 0.7, style.ORANGE),
    "calm": (0.7, -0.7, style.GREEN),
    "sad": (-0.7, -0.7, style.BLUE),
    "angry": (-0.7, 0.7, style.VERMILION),
}
MARKERS = dict(zip(CORNERS, "osD^", strict=True))  # so that colour is not all that tells them apart


@dataclass(frozen=True)
class PlotInputs:
    """A network and its predictions.

    title: of the network; predicted: its outputs on the test side
    constant: float64[out], the mean of the training targets
    network: inputs float[n, num_frames, in] → outputs float64[n, num_frames, out]
    metadata: what the export says of itself
    """

    title: str
    predicted: Predicted
    constant: Floats
    network: Callable[[NDArray[Any]], Floats]
    metadata: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the data."""
        found: Mapping[str, Any] = self.metadata["data"]["settings"]
        return found

    @property
    def test(self) -> str:
        """On what it is drawn, in words."""
        n = len(self.predicted.sequences)
        return f"{n:,} test sequence{'' if n == 1 else 's'} ({self.metadata['data']['source']})"

    def meaning(self, key: str) -> list[str]:
        """What the export says of its outputs under `key`: names, units, a vocabulary."""
        return [str(word) for word in self.metadata["outputs"][0][key]]

    def at_corners(self, inputs_of: Callable[[Floats], Floats]) -> Mapping[str, Floats]:
        """The outputs float64[out] at each of CORNERS; inputs_of: embedding float64[n, 64] → inputs [n, in]."""
        valence, arousal, _ = zip(*CORNERS.values(), strict=True)
        inputs = inputs_of(embed(usual_coordinates(valence, arousal)))
        return dict(zip(CORNERS, self.network(inputs[:, None])[:, 0], strict=True))
