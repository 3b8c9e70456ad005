"""What a page is told of a network, of the images, and of one image's maps."""

import io
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from thin_networks import build_used
from torch import nn

from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.errors import CheckpointError, CnnTrainError, DataError, UsageError
from cnn_train.explore.explorer import Explorer
from cnn_train.explore.question import pack_pixels
from cnn_train.inference.predict import predict_files


def unpack(maps: dict[str, Any], *shape: int) -> torch.Tensor:
    levels = torch.frombuffer(bytearray(b64decode(maps["values"])), dtype=torch.int8)
    return levels.view(shape).float() / 127 * maps["limit"]


def pixels_of(image: dict[str, Any], side: int = 32) -> torch.Tensor:
    content = torch.frombuffer(bytearray(b64decode(image["pixels"])), dtype=torch.uint8)
    return content.view(side, side, 3).permute(2, 0, 1)


def test_the_page_knows_classes_checkpoints_layers_and_their_fields(explore: Any) -> None:
    page = explore(build_used("lenet")).page()
    assert page["classes"] == ["class 0", "class 1", "class 2"]
    assert (page["side"], page["num_images"]) == (32, 12)
    assert page["checkpoints"] == [
        {"key": "file", "name": "model.ckpt, epoch 1", "step": 10, "epoch": 1}
    ]
    conv2 = page["layers"][3]
    assert (conv2["shape"], conv2["field_px"], conv2["block"]) == ([16, 10, 10], [14, 14], 1)
    assert page["layers"][-1]["field_px"] is None and page["layers"][-1]["shape"] == [3, 1, 1]


@pytest.mark.parametrize("name", ["lenet", "resnet20", "densenet121"])
def test_maps_are_those_of_the_networks_own_layers_to_half_a_level(
    name: str, explore: Any, ask: Any, images: ImageSet
) -> None:
    model = build_used(name)
    explorer = explore(model)
    layers = explorer.page()["layers"]
    chosen = [0, len(layers) // 2, len(layers) - 1]
    seen: dict[str, torch.Tensor] = {}
    for name in (layers[index]["name"] for index in chosen):
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.update({name: output.clone()})
        )
    trained = explorer.checkpoints.open().trained
    scores_1K = trained.scores(images.images_NCHW[:1])
    expected = dict(seen)
    answer = ask(explorer, "look", layers=chosen)
    assert answer["scores"] == pytest.approx(scores_1K[0].tolist(), rel=1e-5)
    assert answer["probabilities"] == pytest.approx(scores_1K.softmax(1)[0].tolist(), rel=1e-5)
    assert answer["predicted"] == int(scores_1K.argmax())
    for maps in answer["maps"]:
        layer = layers[maps["layer"]]
        own_CHW = expected[layer["name"]].view(layer["shape"])
        found_CHW = unpack(maps, *layer["shape"])
        assert (found_CHW - own_CHW).abs().max() <= 0.51 * maps["limit"] / 127
        assert maps["most"] == pytest.approx(float(own_CHW.max()), rel=1e-4)


def test_exact_maps_hold_the_numbers_that_sums_are_compared_with(explore: Any, ask: Any) -> None:
    explorer = explore(build_used("lenet"))
    (maps,) = ask(explorer, "look", layers=[3], exact=True)["maps"]
    exact = torch.frombuffer(bytearray(b64decode(maps["exact"])), dtype=torch.float32)
    unit = ask(explorer, "unit", layer=3, channel=5, row=2, column=7)
    assert float(exact.view(16, 10, 10)[5, 2, 7]) == pytest.approx(unit["network"], rel=1e-8)
    assert ask(explorer, "look", layers=[3])["maps"][0]["exact"] is None
    asked = {"class": 1, "method": "gradient", "layers": [3]}
    (slopes,) = ask(explorer, "backward", **asked, exact=True)["maps"]
    exact = torch.frombuffer(bytearray(b64decode(slopes["exact"])), dtype=torch.float32)
    cut_off = exact.clamp(-slopes["limit"], slopes["limit"]).view(16, 10, 10)
    half = slopes["limit"] / 253
    assert torch.allclose(unpack(slopes, 16, 10, 10), cut_off, rtol=0, atol=half)


def test_a_channel_that_is_0_everywhere_is_told(explore: Any, ask: Any) -> None:
    model = build_used("lenet")
    with torch.no_grad():
        model.conv1.bias[2] = -100.0
    (maps,) = ask(explore(model), "look", layers=[1])["maps"]
    assert 2 in maps["dead_here"]
    assert not unpack(maps, 6, 28, 28)[2].any()


def test_hinge_scores_are_no_probabilities(explore: Any, ask: Any) -> None:
    explorer = explore(build_used("lenet"), loss={"name": "hinge"})
    assert ask(explorer, "look")["probabilities"] is None
    (first,) = ask(explorer, "images", count=1)["images"]
    assert first["probability"] is None
    assert "scores" in ask(explorer, "history")["steps"][0]


def test_a_bfloat16_model_is_explored_in_float32(explore: Any, ask: Any, images: ImageSet) -> None:
    explorer, network = explore(build_used("lenet"), precision="bfloat16"), build_used("lenet")
    inputs_1CHW = Normalization.of(images.images_NCHW)(images.images_NCHW[:1])
    scores_1K = network.eval()(inputs_1CHW)
    for found in (ask(explorer, "look"), ask(explorer, "history")["steps"][0]):
        probabilities = scores_1K[0].softmax(dim=0).tolist()
        assert found["probabilities"] == pytest.approx(probabilities, rel=1e-4)


def test_images_come_in_their_order_by_class_or_as_confident_mistakes(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    explorer = explore(build_used("lenet"))
    some = ask(explorer, "images", **{"from": 3, "count": 2})
    assert [image["index"] for image in some["images"]] == [3, 4] and some["total"] == 12
    assert torch.equal(pixels_of(some["images"][0]), images.images_NCHW[3])
    own = ask(explorer, "images", order="class 1")["images"]
    assert [image["index"] for image in own] == [1, 4, 7, 10]
    wrong = ask(explorer, "images", order="mistakes")["images"]
    assert wrong and all(image["label"] != image["predicted"] for image in wrong)
    confidence = [image["probability"] for image in wrong]
    assert confidence == sorted(confidence, reverse=True)
    everything = ask(explorer, "images")["images"]
    assert len(wrong) == sum(image["label"] != image["predicted"] for image in everything)
    assert ask(explorer, "images", **{"from": 99})["images"] == []


def test_a_files_pixels_and_scores_are_those_of_predict(explore: Any, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    noise_HWC = torch.randint(0, 256, (40, 70, 3), generator=generator, dtype=torch.uint8)
    content, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(noise_HWC.numpy()).save(content, "JPEG", exif=exif)
    (tmp_path / "photo.jpg").write_bytes(content.getvalue())
    explorer = explore(build_used("lenet"))
    trained = explorer.checkpoints.open().trained
    (prediction,), _ = predict_files(trained, [tmp_path / "photo.jpg"])
    sent = {"name": "photo.jpg", "content": b64encode(content.getvalue()).decode()}
    answer = explorer.answering("file")(sent)
    assert torch.equal(pixels_of(answer), prediction.image_CHW)
    assert (answer["preview"]["width"], answer["preview"]["height"]) == (40, 70)  # turned
    look = explorer.answering("look")({"pixels": answer["pixels"]})
    assert look["scores"][prediction.top[0].index] == pytest.approx(
        prediction.top[0].score, rel=1e-5
    )


def test_a_large_file_has_a_small_preview(explore: Any) -> None:
    content = io.BytesIO()
    Image.new("RGB", (3000, 1500), (9, 120, 200)).save(content, "PNG")
    sent = {"name": "wide.png", "content": b64encode(content.getvalue()).decode()}
    preview = explore(build_used("lenet")).answering("file")(sent)["preview"]
    assert (preview["width"], preview["height"]) == (320, 160)
    assert b64decode(preview["pixels"]) == bytes([9, 120, 200]) * 320 * 160


@pytest.mark.parametrize(
    ("what", "asked", "error", "reason"),
    [
        ("look", {"pixels": "AAAA"}, UsageError, "pixels: expected 32×32 pixels of 3 bytes, not 3"),
        ("look", {"pixels": "é"}, UsageError, "pixels: expected base64"),
        ("look", {"layers": [99]}, UsageError, "layer 99: the network has the layers 0 to 11"),
        ("look", {"layers": ["a"]}, UsageError, "layers[0]: "),
        ("look", {"checkpoint": "x"}, UsageError, "checkpoint 'x': choose from file"),
        ("images", {"order": "cats"}, UsageError, "order 'cats': choose 'as they come', "),
        ("images", {"count": 61}, UsageError, "count: "),
        ("images", {"from": -1}, UsageError, "from: "),
        ("file", {"name": "a.png", "content": "AAAA"}, DataError, "a.png: "),
        ("file", {"name": "\0/é\n.x/y", "content": ""}, DataError, ""),
        ("backward", {"class": 3}, UsageError, "class 3: choose from 0 to 2"),
        ("backward", {"method": "x"}, UsageError, "method: "),
        ("patches", {"channel": 6}, UsageError, "conv1: has the channels 0 to 5"),
        ("filters", {"layer": 1}, UsageError, "act1: has no filters"),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused_in_one_line(
    explore: Any, ask: Any, what: str, asked: dict[str, Any], error: type[CnnTrainError],
    reason: str,
) -> None:  # fmt: skip
    with pytest.raises(error) as refusal:
        ask(explore(build_used("lenet")), what, **asked)
    assert str(refusal.value).startswith(reason) and len(str(refusal.value).splitlines()) == 1
    assert "/tmp" not in str(refusal.value)


def test_without_images_all_but_the_questions_about_them_are_answered(
    explore: Any, ask: Any
) -> None:
    given = explore(build_used("lenet"))
    explorer = Explorer("a model", given.checkpoints, None, "data: gone.")
    page = explorer.page()
    assert (page["split"], page["num_images"], page["why_no_images"]) == (None, 0, "data: gone.")
    assert len(ask(explorer, "look", layers=[0])["maps"]) == 1
    for what in ("images", "patches", "embedding"):
        with pytest.raises(UsageError, match=r"there are no validation images here: data: gone\."):
            ask(explorer, what)


def test_scores_that_are_no_numbers_are_told(explore: Any, ask: Any) -> None:
    class Overflowing(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * torch.inf

    model = nn.Sequential(nn.Flatten(), Overflowing(3 * 32 * 32, 3))
    with pytest.raises(CheckpointError, match=r"model\.ckpt: the model returned NaN scores"):
        ask(explore(model), "look")


def test_pixels_survive_the_way_to_the_page() -> None:
    image_CHW = torch.arange(3 * 2 * 2, dtype=torch.uint8).view(3, 2, 2)
    assert b64decode(pack_pixels(image_CHW)) == bytes([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
