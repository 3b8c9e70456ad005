import hashlib
import json
from pathlib import Path

from cnn_train.checkpoints.checkpoint import open_checkpoint
from cnn_train.checkpoints.inspection import verify_checkpoints

VERSION_1 = Path(__file__).parents[1] / "checkpoints" / "version_1.ckpt"


def test_the_document_says_what_the_file_and_the_run_are() -> None:
    document = open_checkpoint(VERSION_1).to_json()
    content = VERSION_1.read_bytes()
    assert document["num_bytes"] == len(content)
    assert document["sha256"] == hashlib.sha256(content[:-32]).hexdigest()
    assert document["format_version"] == 1  # the file's own, not that of this release
    assert document["config"]["model"]["name"] == "fastnet"
    assert document["class_names"] == ["cat", "dog", "owl"]
    assert document["image_shape"] == [3, 8, 8]
    assert (document["epochs_done"], document["position"], document["step"]) == (1, 2, 8)
    assert document["val_accuracy"] == 1 / 3
    # two convolutions, two batch norms of five entries and a matrix
    assert document["num_values"] == 4 * 27 + 6 * 36 + 2 * 1 + 4 * 4 + 4 * 6 + 3 * 6
    assert document["has_averaged_weights"]
    assert document["can_go_on"]
    assert set(document["data_fingerprints"]) == {"train", "val"}
    json.dumps(document, allow_nan=False)


def test_every_file_gets_a_verdict_and_a_run_directory_one_for_each_checkpoint_in_it(
    tmp_path: Path,
) -> None:
    content = VERSION_1.read_bytes()
    (tmp_path / "best.ckpt").write_bytes(content)
    (tmp_path / "last.ckpt").write_bytes(content[:-1])
    (tmp_path / "metrics.jsonl").touch()
    absent = tmp_path / "absent.ckpt"
    best, last, missing = verify_checkpoints([tmp_path, absent])
    assert (best.path, best.ok, best.problem) == (str(tmp_path / "best.ckpt"), True, None)
    assert (best.epochs_done, best.step) == (1, 8)
    assert not last.ok and "cut short" in str(last.problem)
    assert not missing.ok and "no such checkpoint" in str(missing.problem)


def test_a_directory_without_checkpoints_is_not_whole(tmp_path: Path) -> None:
    (verdict,) = verify_checkpoints([tmp_path])
    assert not verdict.ok
