"""What a user probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

OTHER_NAMES = {
    "train": "fit", "test": "evaluate", "eval": "evaluate", "infer": "predict",
    "gradcam": "cam", "grad-cam": "cam", "tsne": "embedding", "t-sne": "embedding",
    "backprop": "reverse-mode", "backpropagation": "reverse-mode", "autograd": "reverse-mode",
    "gradient": "diff", "derivative": "diff", "softmax": "cross_entropy", "svm": "hinge",
    "densenet": "densenet121", "wrn": "wide_resnet", "mobilenet": "mobilenet_v2",
}  # fmt: skip
"""Names that others use for what is called something else here."""


def nearest(name: object, choices: Iterable[str]) -> str | None:
    """Return the choice that is another name's meaning, or most like it in spelling.

    Upper and lower case are equal; of equally likely choices, one that begins with the name.
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    word = str(name)[:100].casefold()
    if (meant := OTHER_NAMES.get(word)) in by_folded:
        return by_folded[str(meant)]
    matches = difflib.get_close_matches(word, by_folded, n=len(by_folded) or 1)

    def likeness(match: str) -> tuple[float, bool]:
        return difflib.SequenceMatcher(None, match, word).ratio(), match.startswith(word)

    return by_folded[max(matches, key=likeness)] if matches else None
