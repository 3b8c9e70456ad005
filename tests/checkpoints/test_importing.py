import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as to_safetensors
from torch import nn
from torchvision.models import get_model
from torchvision.models.resnet import BasicBlock, ResNet

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.checkpoints.exporting import export_weights
from cnn_train.checkpoints.fitting import Blueprint
from cnn_train.checkpoints.foreign import ForeignWeights
from cnn_train.checkpoints.importing import Import, import_weights
from cnn_train.data.cifar10.dataset import PUBLISHED_NORMALIZATION
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.errors import CheckpointError, CnnTrainError, UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import TrainedModel, load_trained_model
from cnn_train.training.fine_tuning import start_from_weights
from cnn_train.training.fit import fit
from cnn_train.training.session import Session

MakeConfig = Callable[..., ExperimentConfig]
ImportKnown = Callable[..., Import]

MEANS = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
FOLDER = {"name": "folder", "root": "nowhere", "image_size": 8}
CLASSES = ["cat", "dog", "owl"]


def make_foreign() -> nn.Sequential:
    """Make what `mlp` with eight hidden units computes, under other names."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture
def import_known(make_config: MakeConfig) -> ImportKnown:
    """Import a file with the config, classes and means of the foreign network."""
    config = make_config(data=FOLDER)
    return partial(import_weights, config=config, class_names=CLASSES, normalization=MEANS)


def use(imported: Import, path: Path) -> TrainedModel:
    """Load the imported model as `predict` and `evaluate` do."""
    save_checkpoint(imported.checkpoint, path)
    return load_trained_model(path, "cpu")


def test_an_imported_network_gives_the_scores_of_the_foreign_one(
    import_known: ImportKnown, make_images: Callable[..., ImageSet], tmp_path: Path
) -> None:
    foreign = make_foreign()
    path = save(tmp_path / "net.pth", {"net": foreign.state_dict(), "acc": 93.1, "epoch": 20})
    imported = import_known(path)
    trained = use(imported, tmp_path / "model.ckpt")
    assert (trained.class_names, trained.image_shape) == (tuple(CLASSES), (3, 8, 8))
    assert imported.checkpoint.imported_from == "net.pth"
    assert {match.by for match in imported.matches} == {"order and shape"}
    images_NCHW = make_images(20).images_NCHW
    with torch.no_grad():
        expected_NK = foreign(MEANS(images_NCHW))
    torch.testing.assert_close(trained.scores(images_NCHW), expected_NK, rtol=0, atol=1e-5)


def test_torchvisions_resnet18_for_small_images_gives_the_same_scores_here(
    tmp_path: Path, make_images: Callable[..., ImageSet]
) -> None:
    """As it is often trained on CIFAR-10: a 3×3 stem without pooling, and `downsample` for us."""
    torch.manual_seed(0)
    foreign = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=10)
    foreign.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    foreign.maxpool = nn.Identity()
    images_NCHW = make_images(4, shape=(3, 32, 32)).images_NCHW
    inputs_NCHW = PUBLISHED_NORMALIZATION(images_NCHW)
    with torch.no_grad():
        foreign.train()(inputs_NCHW)  # running statistics that differ from layer to layer
        expected_NK = foreign.eval()(inputs_NCHW)
    wrapped = {f"module.{name}": value for name, value in foreign.state_dict().items()}
    path = save(tmp_path / "resnet18.pth", {"state_dict": wrapped, "arch": "resnet18"})
    config = ExperimentConfig.model_validate(
        {"model": {"name": "resnet18"}, "precision": "float32"}
    )
    trained = use(import_weights(path, config), tmp_path / "model.ckpt")
    assert trained.class_names[:2] == ("airplane", "automobile")
    assert trained.normalization == PUBLISHED_NORMALIZATION
    torch.testing.assert_close(trained.scores(images_NCHW), expected_NK, rtol=1e-4, atol=1e-4)


def foreign_network(architecture: str, num_classes: int = 10) -> nn.Module:
    """Make torchvision's own network as it may come out of training."""
    torch.manual_seed(0)
    network: nn.Module = get_model(architecture, num_classes=num_classes)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.3)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return network.eval()


def with_model(**model: str) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"model": model, "precision": "float32"})


def settings_advised(message: str) -> dict[str, str]:
    """Read the model's settings out of ``--set 'model={…}'``."""
    (text,) = re.findall(r"--set '(model=\{[^}]*\})'(?! --weights)", message)
    return dict(pair.split(": ") for pair in text[len("model={") : -1].split(", "))


TORCHVISION = {"name": "torchvision"}

# A file, and settings that do not say all that it needs.
UNCLEAR = [
    ("resnet18.pth", {"name": "resnet18"}),
    ("resnet18.safetensors", TORCHVISION | {"architecture": "resnet18"}),
    ("mobilenet_v2.pth", {"name": "mobilenet_v2"}),
    ("mobilenet_v2.safetensors", TORCHVISION | {"architecture": "mobilenet_v2"}),
    ("squeezenet1_1.pth", TORCHVISION | {"architecture": "squeezenet1_1"}),
]


@pytest.mark.parametrize(("file", "settings"), UNCLEAR)
def test_torchvisions_own_file_is_refused_with_settings_that_give_its_scores(
    tmp_path: Path, make_images: Callable[..., ImageSet], file: str, settings: dict[str, str]
) -> None:
    path = tmp_path / file
    foreign = foreign_network(path.stem)
    if path.suffix == ".pth":
        save(path, foreign.state_dict())
    else:
        path.write_bytes(to_safetensors(foreign.state_dict()))
    with pytest.raises(CnnTrainError) as refused:
        import_weights(path, with_model(**settings))
    # exit code 4 where the file does not fit, 2 where the settings have to choose
    assert refused.value.exit_code == (4 if path.stem == "resnet18" else 2)
    advised = settings_advised(str(refused.value))
    trained = use(import_weights(path, with_model(**advised)), tmp_path / "model.ckpt")
    images_NCHW = make_images(2, shape=(3, 32, 32)).images_NCHW
    with torch.no_grad():
        expected_NK = foreign(PUBLISHED_NORMALIZATION(images_NCHW))
    torch.testing.assert_close(trained.scores(images_NCHW), expected_NK, rtol=1e-4, atol=1e-4)


def test_a_stem_that_the_user_chose_is_not_questioned(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", foreign_network("mobilenet_v2").state_dict())
    config = with_model(**TORCHVISION, architecture="mobilenet_v2", stem="small")
    assert {match.by for match in import_weights(path, config).matches} == {"name"}


def test_a_network_whose_stem_shrinks_nothing_has_only_one_reading() -> None:
    """It is refused for its tensors without numbers, which are looked at last."""
    with torch.device("meta"):
        state = get_model("vgg11_bn", num_classes=10).state_dict()
    weights = ForeignWeights("a state dict", state, True, {})
    for settings, expected in (
        (TORCHVISION | {"architecture": "vgg11_bn"}, "without numbers"),
        ({"name": "vgg11"}, r"add --set 'model=\{.* architecture: vgg11_bn, stem: original\}'"),
    ):
        blueprint = Blueprint(with_model(**settings).model, 10, (3, 32, 32))
        with pytest.raises(CheckpointError, match=expected):
            blueprint.fill(weights, Path("vgg.pth"))


def test_a_file_of_1000_classes_is_refused_with_the_command_that_fine_tunes_it(
    tmp_path: Path,
) -> None:
    path = save(tmp_path / "my net.pth", foreign_network("squeezenet1_1", 1000).state_dict())
    model = {"name": "torchvision", "architecture": "squeezenet1_1", "stem": "original"}
    with pytest.raises(CheckpointError, match="tells apart 1000 classes, not 10; add ") as refused:
        import_weights(path, with_model(**model))
    assert str(refused.value).endswith(
        f"cnn-train fit --config CONFIG --weights '{path}' --new-head"
    )


def test_safetensors_with_torchvisions_names_fill_the_zoos_resnet(
    tmp_path: Path, make_images: Callable[..., ImageSet]
) -> None:
    """The file is sorted by name; only names and shapes tell which layer a tensor belongs to."""
    foreign = foreign_network("resnet50")
    foreign.conv1, foreign.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    path = tmp_path / "net.safetensors"
    path.write_bytes(to_safetensors(foreign.state_dict()))
    trained = use(import_weights(path, with_model(name="resnet50")), tmp_path / "model.ckpt")
    images_NCHW = make_images(2, shape=(3, 32, 32)).images_NCHW
    with torch.no_grad():
        expected_NK = foreign(PUBLISHED_NORMALIZATION(images_NCHW))
    torch.testing.assert_close(trained.scores(images_NCHW), expected_NK, rtol=1e-4, atol=1e-4)


def test_a_part_of_the_network_beside_the_lightning_model_is_missed_and_named(
    import_known: ImportKnown, tmp_path: Path
) -> None:
    state = {f"model.{name}": value for name, value in make_foreign().state_dict().items()}
    state["head.bias"] = state.pop("model.3.bias")
    path = save(tmp_path / "x.ckpt", {"pytorch-lightning_version": "2.5.0", "state_dict": state})
    with pytest.raises(CheckpointError, match=r"missing: .*; left out: head\.bias$"):
        import_known(path)


def test_an_exported_file_is_not_put_into_another_network_of_the_same_shapes(
    start: Callable[..., Session], tmp_path: Path
) -> None:
    model = {"name": "fastnet", "widths": [4, 6], "extra_convolutions": [0, 0], "pools": [2, 1]}
    session = start(model=model | {"activation": "gelu"})
    export_weights(session.checkpoint(), tmp_path / "net.safetensors")
    other = session.config.model_copy(update={"model": start(model=model).config.model})
    with pytest.raises(CheckpointError, match=r"another network: model\.activation: gelu before"):
        import_weights(tmp_path / "net.safetensors", other)
    import_weights(tmp_path / "net.safetensors", session.config)


def test_what_was_exported_comes_back_bit_for_bit_without_a_config(
    start: Callable[..., Session], tmp_path: Path, make_images: Callable[..., ImageSet]
) -> None:
    session = start(
        model={"name": "fastnet", "widths": [4, 6], "extra_convolutions": [0, 0], "pools": [2, 1]},
        ema_decay=0.5,
    )
    for _ in fit(session):
        pass
    save_checkpoint(session.checkpoint(), tmp_path / "best.ckpt")
    export_weights(session.checkpoint(), tmp_path / "best.safetensors")
    again = use(import_weights(tmp_path / "best.safetensors"), tmp_path / "again.ckpt")
    original = load_trained_model(tmp_path / "best.ckpt", "cpu")
    images_NCHW = make_images(20).images_NCHW
    assert torch.equal(again.scores(images_NCHW), original.scores(images_NCHW))
    assert (again.class_names, again.normalization) == (
        original.class_names, original.normalization,
    )  # fmt: skip
    assert again.config == original.config


def test_a_run_can_start_from_an_imported_checkpoint(
    start: Callable[..., Session], import_known: ImportKnown, tmp_path: Path
) -> None:
    path = save(tmp_path / "net.pth", make_foreign().state_dict())
    session = start()
    names = session.batches.images.class_names
    imported = import_known(path, class_names=names)
    save_checkpoint(imported.checkpoint, tmp_path / "model.ckpt")
    report = start_from_weights(session, load_checkpoint(tmp_path / "model.ckpt"))
    assert len(report.kept) == 4
    assert next(fit(session)).val_accuracy >= 0


def test_half_and_double_precision_become_float32(
    import_known: ImportKnown, tmp_path: Path
) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state = {name: v.to(dtype) for name, v in make_foreign().state_dict().items()}
        imported = import_known(save(tmp_path / "net.pth", state))
        for match in imported.matches:
            found = imported.checkpoint.model[match.ours]
            assert found.dtype == torch.float32
            assert torch.equal(found, state[match.theirs].float())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.fill_(float("nan")), "3.bias holds numbers that are not finite"),
        (lambda t: t.double().fill_(1e300), "3.bias holds numbers that are not finite"),
        (lambda t: t.long(), "3.bias is a tensor of torch.int64"),
        (lambda t: t.to_sparse(), "3.bias is a tensor of torch.float32 of layout torch.sparse_coo"),
        (lambda t: t.to("meta"), "3.bias is a tensor of torch.float32 without numbers"),
        (lambda t: torch.zeros(100), r"of a wrong shape|missing: .* \(3,\); not in the model"),
    ],
)
def test_tensors_that_cannot_be_weights_are_refused_by_name(
    import_known: ImportKnown, tmp_path: Path, change: Callable[..., Any], expected: str
) -> None:
    state = make_foreign().state_dict()
    path = save(tmp_path / "net.pth", {**state, "3.bias": change(state["3.bias"])})
    with pytest.raises(CheckpointError, match=expected) as caught:
        import_known(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"config": None}, "--config CONFIG is needed"),
        ({"class_names": None}, "--classes is needed"),
        ({"normalization": None}, "--mean and --std are needed"),
        ({"normalization": Normalization((0.5,), (0.5,))}, "3 numbers each, one per channel"),
    ],
)
def test_what_is_known_from_nowhere_is_asked_for(
    import_known: ImportKnown, tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    path = save(tmp_path / "net.pth", make_foreign().state_dict())
    with pytest.raises(UsageError, match=expected):
        import_known(path, **given)


def test_the_classes_of_a_folder_that_is_here_need_not_be_named(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    for name in CLASSES:
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "1.png").touch()
    path = save(tmp_path / "net.pth", make_foreign().state_dict())
    config = make_config(data=FOLDER | {"root": str(tmp_path)})
    assert import_weights(path, config, normalization=MEANS).checkpoint.class_names == CLASSES


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": "[1, "}, {"class_names": "[]"}, {"image_shape": "[3, 8, -8]"},
        {"normalization": "{}"}, {"config": "[]"}, {"config": '{"model": {"name": "no"}}'},
        {"image_shape": None},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_metadata_of_an_exported_file_are_refused_in_one_line(
    start: Callable[..., Session], tmp_path: Path, change: dict[str, str | None]
) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint = start().checkpoint()
    export_weights(checkpoint, path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = {k: v for k, v in (header["__metadata__"] | change).items() if v is not None}
    path.write_bytes(to_safetensors(checkpoint.model, metadata=metadata))
    with pytest.raises(CheckpointError, match="its metadata are ") as caught:
        import_weights(path)
    assert "\n" not in str(caught.value)


def test_importing_leaves_the_global_generator_alone(
    import_known: ImportKnown, tmp_path: Path
) -> None:
    path = save(tmp_path / "net.pth", make_foreign().state_dict())
    before = torch.get_rng_state()
    import_known(path)
    assert torch.equal(torch.get_rng_state(), before)
