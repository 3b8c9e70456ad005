import json
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torture_campaign.children import Child

Run = Callable[..., Any]

pytestmark = pytest.mark.parametrize("checkpoint", ["cross_entropy"], indirect=True)


@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_images_are_answered_until_a_signal_and_the_end_is_quiet(
    start_command: Callable[..., Child],
    cnn_train: Run,
    checkpoint: Path,
    tmp_path: Path,
    name: str,
    exit_code: int,
) -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    pytest.importorskip("python_multipart")
    path = tmp_path / "image.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    expected = cnn_train("predict", path.name, "--checkpoint", checkpoint, "--json").document
    process = start_command("serve", checkpoint, "--port", 0, cwd=tmp_path)
    process.wait_until_said("\n", "stdout")
    url = process.said("stdout").strip()
    question = urllib.request.Request(f"{url}predict", path.read_bytes())
    question.add_header("Content-Type", "image/png")
    with urllib.request.urlopen(question, timeout=60) as answer:
        assert json.load(answer) == expected["predictions"][0]
    process.signal(getattr(signal, name))
    ended = process.wait(60)
    assert ended.exit_code == exit_code
    assert "Traceback" not in ended.stderr and "error" not in ended.stderr
    assert "warning" not in ended.stderr


def test_a_missing_library_is_one_line_that_says_what_to_install(
    cnn_train: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "cnn_train.inference.serving", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    outcome = cnn_train("serve", checkpoint)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: serve needs uvicorn, not installed here: ")
    assert "pip install 'cnn-train[serve]'" in outcome.stderr


def test_listening_where_others_reach_it_is_warned_of(
    cnn_train: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = pytest.importorskip("cnn_train.inference.serving")

    def stop(app: object, listener: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "run_server", stop)
    told = cnn_train("serve", checkpoint, "--host", "0.0.0.0", "--port", 0)
    assert told.exit_code == 130
    assert "warning: --host 0.0.0.0: whoever reaches this machine can ask" in told.stderr
    assert "warning" not in cnn_train("serve", checkpoint, "--port", 0).stderr
