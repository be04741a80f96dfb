"""Train one network: `python -m stages.train emotionrecognizer` → trained_models/{checkpoints,history}/.

A run that was killed resumes, if its settings, data and code are still the same. Several processes train one network
together: `torchrun --nproc-per-node=2 -m stages.train emotionrecognizer`.
"""

from collections.abc import Callable

from kelly.config.stage_inputs import StageInputs
from kelly.data.loading import DATA, open_splits
from kelly.runtime.console import run
from kelly.training.distributed import init_process_group
from kelly.training.options import RunOptions
from kelly.training.train_model import train_model
from stages.common import TRAINED, locked_config


def main() -> None:
    """Write checkpoints and history of one network."""
    with init_process_group() as group, locked_config("train", group.is_main_process) as (config, inputs):
        task, (views, fingerprint) = config.task, open_splits(config, DATA)
        options = RunOptions(process_group=group, after_epoch=warner(inputs), before_finish=inputs.check)
        train_model(task, config.training, views, fingerprint, TRAINED, resume="unfinished", run=options)
        if group.world_size > 1:
            print(f"DVC did not run this and would train again; record it: dvc commit --force train@{task.name}")


def warner(inputs: StageInputs) -> Callable[[object], None]:
    """What warns after an epoch as soon as settings changed: at its end the stage will fail."""
    shown: list[str] = []

    def warn(_: object) -> None:
        changed = inputs.changed_params()
        if changed != shown:
            shown[:] = changed
            advice = "undo it before this stage ends, or it fails and has to be run again" if changed else "undone"
            print("\n".join([*changed, advice]), flush=True)

    return warn


if __name__ == "__main__":
    run(main, distributed=True)
