"""A folder with small settings and the data of one network, for what reads params.yaml and data/."""

from pathlib import Path

from joblib.externals.loky import get_reusable_executor
from support.clone import SMALL

from kelly.commands.train_all import prepare_data
from kelly.config import params
from kelly.config.params import TaskConfig
from kelly.data.loading import DATA


def prepared(project: Path, model: str = "groovepredictor", changes: dict[str, str] | None = None) -> TaskConfig:
    """The settings of one network from a params.yaml in the present folder, where its data is made."""
    get_reusable_executor().shutdown(kill_workers=True)  # workers of an earlier test stand in its folder
    text = (project / "params.yaml").read_text()
    for before, after in {**SMALL, "num_workers: -1": "num_workers: 1", **(changes or {})}.items():
        assert before in text
        text = text.replace(before, after)
    Path("params.yaml").write_text(text)
    settings = params.load()[model]
    prepare_data(settings, DATA)
    return settings
