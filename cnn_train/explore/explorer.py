"""One network under exploration: what its page shows, and an answer to each of its questions.

One question is answered at a time.

Shape letters: N images, B minibatch, K classes, C channels, H W pixels or units of a map.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..data.image_set import ImageSet, spread_evenly
from ..errors import UsageError
from ..visualize.features import has_features
from ..visualize.layers import as_maps, keep_outputs
from .backward import answer_backward, answer_speakers
from .checkpoints import OpenCheckpoints, Opened, finite
from .images import MOST_MEASURED, read_received
from .layers import Layer, group_layers, open_at_first
from .measured import Cloud, answer_embedding, answer_filters, answer_history, answer_patches
from .question import (
    Question,
    pack_exact,
    pack_pixels,
    pack_signed,
    read_bytes,
    read_pixels,
    read_question,
    rounded,
)
from .unit import answer_unit

Answer = Callable[[Question], dict[str, Any]]


class Explorer:
    """The checkpoints of one network, its validation images, and answers.

    why_no_images: where there are none. first_image: the file to begin with, as ``file`` answers.
    """

    def __init__(
        self,
        title: str,
        checkpoints: OpenCheckpoints,
        images: ImageSet | None,
        why_no_images: str | None = None,
        first_image: dict[str, Any] | None = None,
    ) -> None:
        self.title, self.checkpoints, self.first_image = title, checkpoints, first_image
        self.images, self.why_no_images = images, why_no_images
        self._lock = Lock()
        self._mistakes: dict[str, list[int]] = {}
        self._clouds: dict[str, Cloud] = {}
        self.answers: dict[str, Answer] = {
            "images": self.list_images,
            "file": self.file,
            "look": self.look,
            "unit": lambda asked: answer_unit(self.open(asked), asked),
            "backward": lambda asked: answer_backward(self.open(asked), asked),
            "speakers": lambda asked: answer_speakers(self.open(asked), asked),
            "filters": lambda asked: answer_filters(self.open(asked), asked),
            "patches": lambda asked: answer_patches(self.open(asked), asked, self.require_images()),
            "history": lambda asked: answer_history(self.checkpoints, asked),
            "embedding": self.embedding,
        }

    def answering(self, name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """Return what answers the questions of one kind, one at a time."""

        def answer(body: Mapping[str, Any]) -> dict[str, Any]:
            question = read_question(body)
            with self._lock:
                return self.answers[name](question)

        return answer

    def open(self, question: Question) -> Opened:
        """Return the checkpoint that the question is about."""
        return self.checkpoints.open(question.checkpoint)

    def page(self) -> dict[str, Any]:
        """Return what does not change while the page is open."""
        with self._lock:
            opened = self.checkpoints.open()
            trained, layers, config = opened.trained, opened.layers, opened.trained.config.model
            blocks = group_layers(trained.model, layers)
        numbers = [n for n, block in enumerate(blocks) for _ in range(block.first, block.last + 1)]
        levels = trained.normalization.as_lists()
        return {
            "title": self.title,
            "model": " ".join([config.name, getattr(config, "architecture", "")]).strip(),
            "num_parameters": sum(p.numel() for p in trained.model.parameters()),
            "classes": list(trained.class_names),
            "side": trained.image_shape[1],
            "split": "validation images" if self.images is not None else None,
            "why_no_images": self.why_no_images,
            "num_images": len(self.images) if self.images is not None else 0,
            "normalization": {"mean": levels["mean"], "deviation": levels["std"]},
            "checkpoints": [
                {"key": c.key, "name": c.name, "step": c.step, "epoch": c.epoch}
                for c in self.checkpoints.choices.values()
            ],
            "checkpoint": self.checkpoints.default,
            "image": self.first_image,
            "has_features": has_features(trained.model),
            "layers": [
                view_of_layer(layer, trained.image_shape) | {"block": number}
                for layer, number in zip(layers, numbers, strict=True)
            ],
            "blocks": [vars(block) for block in blocks],
            "open": open_at_first(layers, blocks),
        }

    def list_images(self, question: Question) -> dict[str, Any]:
        """Answer ``images``: some of the split, with what the network says of them.

        Those with the ``indices``, or else some of an order.
        """
        opened, images = self.open(question), self.require_images()
        if question.indices:
            if not 0 <= min(question.indices) <= max(question.indices) < len(images):
                raise UsageError(f"indices: there are the images 0 to {len(images) - 1}")
            return {"images": self._judged(opened, question.indices), "total": len(images)}
        indices = self._in_order(opened, images, question.order)
        chosen = indices[question.first : question.first + question.count]
        return {"images": self._judged(opened, chosen), "total": len(indices)}

    def _judged(self, opened: Opened, chosen: Sequence[int]) -> list[dict[str, Any]]:
        """Return images of the split by their index, with what the network says of each."""
        if not chosen:
            return []
        images = self.require_images()
        pixels_NCHW = images.images_NCHW[torch.tensor(chosen)]
        probabilities_NK, predicted_N = self.judge(opened, pixels_NCHW)
        best_N = probabilities_NK.amax(dim=1).tolist()
        known = opened.trained.config.loss.gives_probabilities
        rows = zip(chosen, predicted_N.tolist(), best_N, pixels_NCHW, strict=True)
        return [
            {
                "index": index,
                "label": int(images.labels_N[index]),
                "predicted": predicted,
                "probability": rounded(best) if known else None,
                "pixels": pack_pixels(image_CHW),
            }
            for index, predicted, best, image_CHW in rows
        ]

    def require_images(self) -> ImageSet:
        """Return the validation images; UsageError where there are none."""
        if self.images is None:
            raise UsageError(f"there are no validation images here: {self.why_no_images}")
        return self.images

    def _in_order(self, opened: Opened, images: ImageSet, order: str) -> list[int]:
        """Return the indices of the images that an order has; UsageError where it is none."""
        if order == "as they come":
            return list(range(len(images)))
        if order == "mistakes":
            key = opened.choice.key
            if key not in self._mistakes:
                self._mistakes[key] = self._find_mistakes(opened, images)
            return self._mistakes[key]
        if order not in images.class_names:
            raise UsageError(f"order {order!r}: choose 'as they come', 'mistakes' or a class")
        own_N = images.labels_N == images.class_names.index(order)
        return [int(i) for i in own_N.nonzero()[:, 0]]

    def _find_mistakes(self, opened: Opened, images: ImageSet) -> list[int]:
        """Return what is taken for another class, the most confident mistakes first."""
        index_N = spread_evenly(len(images), MOST_MEASURED)
        probabilities_NK, predicted_N = self.judge(opened, images.images_NCHW[index_N])
        confidence_N = probabilities_NK.amax(dim=1)
        confidence_N[predicted_N == images.labels_N[index_N]] = -1
        order_N = confidence_N.argsort(descending=True, stable=True)
        return [int(index_N[i]) for i in order_N if confidence_N[i] >= 0]

    def judge(self, opened: Opened, images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the softmax NK of the scores, and the predicted class N."""
        scores_NK = finite(opened, opened.trained.scores(images_NCHW))
        return scores_NK.double().softmax(dim=1), scores_NK.argmax(dim=1)

    def file(self, question: Question) -> dict[str, Any]:
        """Answer ``file``: an image file's pixels as the network sees them."""
        content = read_bytes("content", question.content)
        return read_received(question.name, content, self.checkpoints.open().trained.reading())

    def look(self, question: Question) -> dict[str, Any]:
        """Answer ``look``: what the network says of an image, and the maps of some layers."""
        started, opened = perf_counter(), self.open(question)
        trained = opened.trained
        images_1CHW = read_pixels(question.pixels, trained.image_shape[1])
        layers = {index: opened.layer(index) for index in dict.fromkeys(question.layers)}
        with keep_outputs([layer.units for layer in layers.values()]) as outputs:
            scores_K = finite(opened, trained.scores(images_1CHW))[0]
        known = trained.config.loss.gives_probabilities
        probabilities = rounded(scores_K.double().softmax(dim=0).tolist())
        return {
            "scores": rounded(scores_K.tolist()),
            "probabilities": probabilities if known else None,
            "predicted": int(scores_K.argmax()),
            "maps": [
                view_of_maps(index, layer, outputs[layer.units.layer], question.exact)
                for index, layer in layers.items()
            ],
            "milliseconds": round(1000 * (perf_counter() - started), 1),
        }

    def embedding(self, question: Question) -> dict[str, Any]:
        """Answer ``embedding``; UsageError where there are no images."""
        number = len(self.require_images())
        found = answer_embedding(self.checkpoints, question, self._clouds, number)
        return found | {"nearest": self._judged(self.open(question), found["nearest"])}


def view_of_maps(index: int, layer: Layer, output: Tensor, exact: bool) -> dict[str, Any]:
    """Return the maps of a layer for one image as bytes, with their range; exact: unrounded too."""
    maps_CHW = as_maps(output, layer.units.field)[0].float().nan_to_num().contiguous()
    ends_2C = torch.stack(torch.aminmax(maps_CHW.flatten(1), dim=1)).cpu()
    least, most = float(ends_2C[0].min()), float(ends_2C[1].max())
    return {
        "layer": index,
        **pack_signed(maps_CHW, max(-least, most)),
        "least": rounded(least),
        "most": rounded(most),
        "dead_here": (ends_2C == 0).all(dim=0).nonzero()[:, 0].tolist(),
        "exact": pack_exact(maps_CHW) if exact else None,
    }


def view_of_layer(layer: Layer, image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return what a page says of a layer; a field as large as the image is none."""
    units, (_, height, width) = layer.units, image_shape
    field = units.field.size_px if units.field.axes else (height, width)
    sees_all = field[0] >= height and field[1] >= width
    return {
        "name": units.layer,
        "kind": layer.kind,
        "words": layer.words,
        "shape": [units.num_channels, *units.map_size],
        "num_parameters": layer.num_parameters,
        "field_px": None if sees_all else list(field),
        "unit": layer.has_sum,
    }
