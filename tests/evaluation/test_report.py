import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError
from cnn_train.evaluation import report
from cnn_train.evaluation.evaluate import Evaluation, evaluate
from cnn_train.evaluation.report import find_mistakes, list_examples, save_report, save_slices
from cnn_train.evaluation.slices import NewTest, SliceReport, change_chunk
from cnn_train.losses import LOSSES
from cnn_train.machine.device import Device
from cnn_train.metrics.slices import Slice

CLASSES = ("cat", "dog", "frog")


@dataclass
class FixedScores:
    """Stands for a trained model that returns these scores for any images."""

    scores_NK: Tensor
    loss: str
    class_names: tuple[str, ...] = CLASSES
    image_shape: tuple[int, int, int] = (3, 8, 8)
    device: Device = field(init=False)
    config: SimpleNamespace = field(init=False)
    training_images: Tensor = field(default_factory=lambda: torch.tensor([0]))

    def __post_init__(self):
        self.device = Device(torch.device("cpu"), "as requested")
        self.config = SimpleNamespace(loss=LOSSES[self.loss]())

    def scores(self, images_NCHW, **options):
        return self.scores_NK


def evaluation_of(scores, labels, loss="cross_entropy") -> Evaluation:
    names = tuple(f"test/{i:05d}" for i in range(len(scores)))
    images_NCHW = torch.arange(len(scores), dtype=torch.uint8)[:, None, None, None]
    images = ImageSet(images_NCHW.expand(-1, 3, 8, 8), torch.tensor(labels), CLASSES, names)
    return evaluate(FixedScores(torch.tensor(scores), loss), images)


SCORES = [[1.0, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 1.0]]


def test_mistakes_come_in_the_order_of_certainty_and_right_answers_never():
    evaluation = evaluation_of(SCORES, [0, 0, 0, 2])
    mistakes = find_mistakes(evaluation, most=24)
    assert [one.name for one in mistakes] == ["test/00002", "test/00001"]
    assert [(one.true_label, one.predicted_label) for one in mistakes] == [("cat", "dog")] * 2
    probability = math.exp(0.8) / (math.exp(0.8) + 2)
    assert mistakes[0].certainty == f"{100 * probability:.1f} %"
    assert mistakes[0].image_CHW.unique().tolist() == [2]
    assert [one.name for one in find_mistakes(evaluation, most=1)] == ["test/00002"]


def test_a_hinge_mistake_is_described_by_its_lead_over_the_true_class():
    (mistake,) = find_mistakes(evaluation_of([[0.25, 0.5, 3.0]], [1], "hinge"), most=24)
    assert (mistake.predicted_label, mistake.certainty) == ("frog", "score 2.50 ahead")


@pytest.mark.parametrize(
    ("loss", "picture"), [("cross_entropy", "calibration.png"), ("hinge", "margins.png")]
)
@pytest.mark.parametrize("labels", [[0, 0, 0, 2], [0, 1, 1, 2]], ids=["mistakes", "none"])
def test_the_report_writes_its_figures_and_the_json_document(tmp_path, loss, picture, labels):
    evaluation = evaluation_of(SCORES, labels, loss)
    out = tmp_path / "new" / "report"
    written = save_report(evaluation, out, checkpoint=Path("best.ckpt"), model_name="lenet")
    names = {"confusion.png", "mistakes.png", picture, "evaluation.json"}
    assert {path.name for path in written} == {path.name for path in out.iterdir()} == names
    assert (out / picture).read_bytes().startswith(b"\x89PNG")
    document = json.loads((out / "evaluation.json").read_text())
    assert document == json.loads(json.dumps(evaluation.to_json(Path("best.ckpt"))))


def test_a_report_directory_that_is_a_file_is_a_usage_error(tmp_path):
    (tmp_path / "taken").write_text("")
    evaluation = evaluation_of(SCORES, [0, 0, 0, 2])
    with pytest.raises(UsageError, match="cannot make this directory"):
        save_report(evaluation, tmp_path / "taken", checkpoint=Path("x.ckpt"), model_name="lenet")


@pytest.fixture
def sliced() -> SliceReport:
    """Slices of eight images: one challenge of ours and CIFAR-10-C's of the same name."""
    clean = evaluation_of([[1.0, 0.0, 0.0]] * 8, [0] * 8)
    unknown = (None, None)
    slices = (
        Slice("illumination", "contrast", 8, (0, 4), (None, 0.75), (1.0, 0.5), (0, 1)),
        Slice("CIFAR-10-C", "contrast", 8, (0, 4), unknown, (1.0, 0.5), unknown),
    )
    new_tests = (NewTest("CIFAR-10.1", "v6", 8, 0.5, (0.2, 0.8)),)
    return SliceReport(clean, 3, (0, 4), slices, classes=(), new_tests=new_tests)


def test_examples_are_the_images_that_were_measured_under_our_own_challenges(sliced):
    ((challenge, shown),) = list_examples(sliced)
    images_NCHW = sliced.clean.images.images_NCHW
    assert challenge is sliced.slices[0]
    assert torch.equal(shown[0], images_NCHW[0])
    assert torch.equal(shown[1], change_chunk(images_NCHW, 0, "contrast", 4, 3)[1][0])


def test_slices_are_saved_as_pictures_and_document(sliced, tmp_path):
    written = save_slices(sliced, tmp_path / "new", checkpoint=Path("x.ckpt"), model_name="m")
    names = ["slices.png", "challenges.png", "slices.json"]
    assert written == [tmp_path / "new" / name for name in names]
    document = json.loads(written[2].read_text())
    assert document == json.loads(json.dumps(sliced.to_json(Path("x.ckpt"))))
    assert document["new_tests"][0]["accuracy"] == 0.5


def test_the_curves_stand_beside_always_answering_the_largest_class(sliced, tmp_path, monkeypatch):
    drawn = {}
    real = report.draw_slices
    monkeypatch.setattr(report, "draw_slices", lambda *a, **k: (drawn.update(k), real(*a, **k))[1])
    clean = evaluation_of(SCORES, [0, 0, 0, 2])  # three cats of four
    unequal = replace(sliced, clean=clean)
    save_slices(unequal, tmp_path / "a.png", checkpoint=Path("x.ckpt"), model_name="m")
    assert (drawn["chance"], drawn["largest"]) == (1 / 3, 0.75)


def test_letters_without_a_font_are_said_once_for_all_pictures(tmp_path, monkeypatch):
    missing = {"confusion.png": "猫犬", "mistakes.png": "犬", "calibration.png": ""}
    monkeypatch.setattr(report, "save_figure", lambda figure, path: missing[path.name])
    said = []
    evaluation = evaluation_of(SCORES, [0, 0, 0, 2])
    save_report(evaluation, tmp_path, checkpoint=Path("x"), model_name="m", notice=said.append)
    assert said == ["no installed font has 犬猫: boxes are drawn; install one of the Noto fonts"]


def test_a_test_without_severities_has_no_curves_to_draw(sliced, tmp_path):
    alone = replace(sliced, slices=())
    with pytest.raises(UsageError, match="no severities to draw"):
        save_slices(alone, tmp_path / "a.png", checkpoint=Path("x"), model_name="m")
    assert save_slices(alone, tmp_path, checkpoint=Path("x"), model_name="m") == [
        tmp_path / "slices.json"
    ]
