"""The plots of kelly compare and kelly search: names are text, and axes are labelled."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from kelly.experiments import comparison_plot
from kelly.experiments.revisions import Run
from kelly.experiments.search_plot import against
from kelly.plots import style
from kelly.tasks import TASKS

HISTORY: dict[str, list[float]] = {"epoch": [1, 2], "train_loss": [0.9, 0.5], "val_loss": [0.9, 0.6]}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["a$_{b$", "$x$", "_hidden", "b\u202ec", "c\udcff", r"\frac", "</script>"])
def test_the_name_of_a_revision_is_text_in_the_legend(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []

    def save(figure: Figure, path: Path) -> None:
        figures.append(figure)
        figure.savefig(path)

    monkeypatch.setattr(style, "save", save)
    runs = [
        [Run(name, {}, {}, HISTORY, None)],
        [Run("main", {}, {}, HISTORY, None), Run("twin", {}, {}, HISTORY, None)],
    ]
    comparison_plot.draw(tmp_path / "plot.png", [(TASKS["groovepredictor"], runs)])
    legend = figures[0].axes[0].get_legend()
    assert legend is not None
    shown = name.replace("\u202e", r"\u202e").replace("\udcff", r"\udcff")
    assert [text.get_text() for text in legend.get_texts()] == [shown, "main, twin"]


def test_the_ticks_of_a_logarithmic_setting_are_numbers() -> None:
    space = FloatDistribution(1e-4, 0.1, log=True)
    trial = create_trial(value=0.5, user_attrs={"settings": {"learning_rate": 0.001}})
    figure = style.figure(4, 3)
    against(figure.subplots(), "learning_rate", space, [trial], trial)
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.findobj(Text)]
    assert {"0.0001", "0.001", "0.01", "0.1"} <= set(labels)
    assert not [label for label in labels if "$" in label]
