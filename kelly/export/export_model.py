"""From the best checkpoint to a proven export with metadata that describes its training and its data."""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from kelly.config.params import SplitConfig, TrainingConfig
from kelly.config.sources import StrictModel, source_config, source_names
from kelly.data.dataset import Sequences
from kelly.export.contract import CONTRACTS
from kelly.export.emotion_range import emotion_range
from kelly.export.rtneural_file import FORMAT_VERSION, Reference, export, to_document
from kelly.networks import Network
from kelly.rtneural.reader import Model
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.checkpoints import CheckpointManager, differences, load_weights

SOURCE_FOLDERS = ("kelly", "stages")
PROJECT = Path(__file__).parents[2]


class DataFingerprint(StrictModel):
    """What identifies the data that a checkpoint was trained on: kelly.data.loading.data_fingerprint."""

    source: str
    settings: dict[str, Any]
    splitting: SplitConfig
    sha256: str
    num_sequences: int
    num_frames: int
    num_pieces: int
    num_train: int
    num_validation: int
    num_test: int
    fold: str | None = None


class Fingerprint(StrictModel):
    """What identifies the run of a checkpoint: kelly.training.train_model.run_fingerprint.

    origin: how the network was made where it was not simply trained, as an average or from other networks
    """

    training: TrainingConfig
    data: DataFingerprint
    network: str
    code: str
    torch: str
    origin: str | None = None


def load_best(task: Task, checkpoint_dir: Path) -> tuple[Network, dict[str, Any]]:
    """The network with the weights of its best epoch, and the checkpoint. Raises KellyError where it is not usable."""
    manager = CheckpointManager(checkpoint_dir)
    checkpoint = manager.load_best(task.name)
    network = Network(task).eval()
    load_weights(network, checkpoint["model_state_dict"], manager.best_path(task.name))
    check_fingerprint(task, checkpoint["fingerprint"], manager.best_path(task.name))
    return network, checkpoint


def check_fingerprint(task: Task, fingerprint: Any, path: Path) -> None:
    """Raise KellyError where the fingerprint of a checkpoint is incomplete or out of range."""
    mistakes = []
    try:
        data = Fingerprint.model_validate(fingerprint).data
        if data.source in source_names(task.name):
            source_config(task.name, data.source).model_validate(data.settings)
        else:
            mistakes = [f"data.source: {data.source!r:.40}, expected one of {', '.join(source_names(task.name))}"]
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, e['loc'])) or 'fingerprint'}: {e['msg']}" for e in error.errors()[:5]]
    if mistakes:
        raise KellyError(
            f"{path} does not contain the settings it was trained with; train it with train_all_models.py or dvc "
            "repro:" + "".join(f"\n  {mistake}" for mistake in mistakes)
        )


def as_function(network: Network, device: torch.device | str = "cpu") -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """A network as a function: inputs float32[n, num_frames, in] → outputs [n, num_frames, out] in its precision."""
    network = network.to(device)
    dtype = next(network.parameters()).dtype

    def run(inputs: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            outputs: NDArray[Any] = network(torch.tensor(inputs).to(device, dtype)).cpu().numpy()
        return outputs

    return run


def export_model(
    task: Task, output: Path, splits: Mapping[str, Sequences], expected: Mapping[str, Any] | None = None
) -> Model:
    """Export the best checkpoint under `output` to `{output}/{model}.json`, proven and with its metadata.

    splits: those that the network was trained on; 'train' gives the range of emotions, 'stream' the inputs of the proof
    expected: the fingerprint that the checkpoint must have, but for the version of PyTorch; None: any
    Raises KellyError where the checkpoint is not usable or has another fingerprint.
    """
    network, checkpoint = load_best(task, output / "checkpoints")
    fingerprint = checkpoint["fingerprint"]
    if expected is not None and (lines := differences(fingerprint, expected, may_differ=("torch",))):
        path = CheckpointManager(output / "checkpoints").best_path(task.name)
        raise KellyError(f"{path} was trained with other settings, data or code than the present ones; train it again: "
                         f"dvc repro -f -s train@{task.name}" + "".join(f"\n  {line}" for line in lines))  # fmt: skip
    torch.set_num_threads(fingerprint["training"]["num_threads"])
    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    checkpoint_file = CheckpointManager(output / "checkpoints").best_path(task.name)
    # In double precision like the reader: any difference is then the network's, and not the rounding, which an LSTM
    # that is never reset can enlarge a hundredfold.
    run = as_function(network.double())
    reference = Reference(run, task.num_parameters, splits["stream"].inputs, fingerprint["training"]["seed"])

    def metadata(model: Model, parity_error: float) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "model": task.name,
            **CONTRACTS[task.name](fingerprint["data"]["settings"]),
            "recurrent": task.is_recurrent,
            "num_parameters": model.num_parameters,
            "seed": fingerprint["training"]["seed"],
            "params": fingerprint["training"],
            "data": fingerprint["data"],
            "emotion": emotion_range(task, splits["train"]),
            "torch_version": fingerprint["torch"],
            "code": fingerprint["code"],
            **({"origin": fingerprint["origin"]} if fingerprint.get("origin") else {}),
            "revision": source_revision(),
            "checkpoint": {
                "sha256": hashlib.sha256(checkpoint_file.read_bytes()).hexdigest(),
                "epoch": checkpoint["epoch"],
                "val_loss": checkpoint["val_loss"],
            },
            "loss": task.loss,
            "parity_error": parity_error,
        }

    document = to_document(task.num_inputs, task.layers, weights)
    return export(output / f"{task.name}.json", document, reference, metadata)


def source_revision() -> str | None:
    """The commit that last changed the code, with `-modified` where the code differs from it; None outside git.

    Not HEAD: a commit of results would change the exports that it contains.
    """

    def git(*arguments: str) -> str:
        command = ["git", *arguments, "--", *SOURCE_FOLDERS]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("log", "-1", "--format=%H")
        return f"{commit}-modified" if git("status", "--porcelain") else commit or None
    except (OSError, subprocess.CalledProcessError):
        return None
