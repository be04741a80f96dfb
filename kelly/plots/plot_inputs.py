"""What a plot of predictions is drawn from: a network, its predictions and the metadata of its export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from kelly.evaluation.metrics import Floats, Predictions
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import style

# One emotion in each quadrant of the valence-arousal plane: valence, arousal, colour.
QUADRANTS = {
    "happy": (0.7, 0.7, style.ORANGE),
    "calm": (0.7, -0.7, style.GREEN),
    "sad": (-0.7, -0.7, style.BLUE),
    "angry": (-0.7, 0.7, style.VERMILION),
}
MARKERS = dict(zip(QUADRANTS, "osD^", strict=True))  # so that they differ in more than colour


@dataclass(frozen=True)
class PlotInputs:
    """A network and its predictions.

    title: of the network; predictions: for the test split
    baseline: float64[out], the mean of the training targets
    network: inputs float[n, num_frames, in] → outputs float64[n, num_frames, out]
    metadata: of the export
    """

    title: str
    predictions: Predictions
    baseline: Floats
    network: Callable[[NDArray[Any]], Floats]
    metadata: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the data source."""
        settings: Mapping[str, Any] = self.metadata["data"]["settings"]
        return settings

    @property
    def test_split(self) -> str:
        """The size and the source of the test split, in words."""
        n = len(self.predictions.sequences)
        return f"{n:,} test sequence{'' if n == 1 else 's'} ({self.metadata['data']['source']})"

    def output_labels(self, key: str) -> list[str]:
        """The names of the outputs that the export lists under `key`."""
        return [str(label) for label in self.metadata["outputs"][0][key]]

    def at_quadrants(self, inputs_of: Callable[[Floats], Floats]) -> Mapping[str, Floats]:
        """The outputs float64[out] at each of QUADRANTS; inputs_of: embedding float64[n, 64] → inputs [n, in]."""
        valence, arousal, _ = zip(*QUADRANTS.values(), strict=True)
        inputs = inputs_of(embed(usual_coordinates(valence, arousal)))
        return dict(zip(QUADRANTS, self.network(inputs[:, None])[:, 0], strict=True))
