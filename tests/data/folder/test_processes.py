"""Processes that decode: they see what threads see, and end whatever happens to them or to us."""

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder import decoding, processes, worker
from cnn_train.data.folder.processes import DecodingProcesses
from cnn_train.errors import DataError, ResourceError

SIZE_PX = 8


@pytest.fixture
def paths(tmp_path):
    """More images than one request holds: of several sizes, one of a name that is no Unicode."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(150):
        side = int(rng.integers(5, 20))
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        found.append(tmp_path / (os.fsdecode(b"\xff.png") if i == 70 else f"{i:03}.png"))
        with found[-1].open("wb") as file:
            Image.fromarray(pixels).save(file, "PNG")
    return found


@pytest.fixture
def started(monkeypatch):
    """Use processes for any number of files; return the processes that were started."""
    all_started = []
    start = processes._start_process
    monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", 1)
    monkeypatch.setattr(decoding, "count_workers", lambda: 2)
    monkeypatch.setattr(
        processes, "_start_process", lambda px: (all_started.append(start(px)), all_started[-1])[1]
    )
    return all_started


@pytest.fixture
def access(tmp_path):
    return DataAccess(tmp_path / "data")


def decode(paths, access):
    return decoding.decode_files(paths, SIZE_PX, "Decoding", access)


def have_ended(all_started):
    return [process.returncode is not None for process in all_started] == [True] * 2


def test_processes_decode_as_threads_do_and_end_with_their_work(
    paths, access, started, monkeypatch
):
    in_processes = decode(paths, access)
    assert have_ended(started)
    monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", 1_000)
    assert torch.equal(in_processes, decode(paths, access))
    assert len(started) == 2


def test_processes_remark_what_threads_remark(paths, access, started, monkeypatch):
    paths[80].rename(paths[80].with_suffix(".jpg"))
    paths[80] = paths[80].with_suffix(".jpg")
    told = []
    for least in (1, 1_000):
        monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", least)
        notices = []
        decode(paths[75:], replace(access, notice=notices.append))
        with pytest.raises(DataError) as refusal:
            decode([*paths, paths[0].with_name("gone.png")], access)
        told.append((notices, str(refusal.value)))
    assert told[0] == told[1]
    assert "80.jpg: is a PNG file" in told[0][0][0]
    assert "gone.png: no such file" in told[0][1]


def test_a_killed_process_is_a_lack_of_resources_and_no_hang(paths, access, started):
    def kill_all(amount):
        for process in started:
            process.send_signal(signal.SIGKILL)

    with pytest.raises(ResourceError, match=r"was killed \(SIGKILL\), perhaps for lack of memory"):
        decode(paths * 20, replace(access, progress=bar_of(kill_all)))
    assert have_ended(started)


def test_a_stopped_process_is_given_up_and_ended(paths, started, monkeypatch):
    pixels_BCHW = np.empty((1, 3, SIZE_PX, SIZE_PX), dtype=np.uint8)
    with DecodingProcesses(SIZE_PX) as decoders:
        assert decoders.start(2)
        monkeypatch.setattr(processes, "SILENT_SECONDS", 0.3)
        for process in started:
            process.send_signal(signal.SIGSTOP)
        with pytest.raises(ResourceError, match=r"silent for 0\.3 seconds; see whether the disk"):
            decoders.decode(paths[:1], pixels_BCHW)
    assert have_ended(started)


def test_a_process_that_never_gets_ready_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(processes, "WORKER", "asyncio")  # it waits for a line, as an idle one does
    with (
        DecodingProcesses(SIZE_PX) as decoders,
        pytest.raises(ResourceError, match="has been silent"),
    ):
        decoders.start(1)


def test_an_image_that_takes_long_is_sent_before_the_next_is_decoded(paths, monkeypatch):
    monkeypatch.setattr(worker, "SLOW_SECONDS", 0.0)
    answers = io.BytesIO()
    flushed_at = []
    monkeypatch.setattr(answers, "flush", lambda: flushed_at.append(answers.tell()), raising=False)
    worker._answer(paths[:3], answers, SIZE_PX)
    assert flushed_at == [3 * SIZE_PX**2 * number for number in (1, 2, 3)]


def test_an_interruption_ends_the_processes(paths, access, started):
    def interrupt(amount):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(paths * 20, replace(access, progress=bar_of(interrupt)))
    assert have_ended(started)


def bar_of(advance):
    class Bar:
        def __enter__(self):
            return advance

        def __exit__(self, *problem):
            return None

    return lambda description, total, *, unit="items": Bar()


def test_what_a_process_lacks_is_a_lack_of_resources(paths, monkeypatch):
    remarks = {"failures": [], "notices": [], "resources": ["a.png: too many open files"]}
    monkeypatch.setattr(processes, "_ask", lambda *request: remarks)
    with DecodingProcesses(SIZE_PX) as decoders:
        assert decoders.start(1)
        with pytest.raises(ResourceError, match="too many open files"):
            decoders.decode(paths, np.empty((1, 3, SIZE_PX, SIZE_PX), dtype=np.uint8))


def test_a_process_whose_parent_is_gone_ends_by_itself():
    process = processes._start_process(SIZE_PX)
    with process:
        assert process.stdout.readline() == processes.GREETING
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_a_process_whose_parent_was_killed_leaves_its_request_unfinished(paths, monkeypatch):
    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(worker.os, "_exit", end)
    answers = io.BytesIO()
    worker._answer(paths[:2], answers, SIZE_PX)
    assert len(answers.getvalue()) > 2 * 3 * SIZE_PX**2
    monkeypatch.setattr(worker, "PARENT", -1)
    with pytest.raises(SystemExit):
        worker._answer(paths[:2], io.BytesIO(), SIZE_PX)


@pytest.mark.parametrize("executable", ["", "/usr/bin/blender", "{tmp}/python"])
def test_where_python_cannot_start_itself_threads_decode(
    paths, access, started, monkeypatch, tmp_path, executable
):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", executable.format(tmp=tmp_path))
    assert decode(paths, access).shape == (150, 3, SIZE_PX, SIZE_PX)
    assert all(process.returncode is not None for process in started)


def test_a_decoding_process_imports_no_torch():
    code = f"import sys, {processes.WORKER}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_script_without_a_main_guard_runs_once(paths, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from cnn_train.data.dataset import DataAccess\n"
        "from cnn_train.data.folder import decoding\n"
        "decoding.LEAST_FILES_FOR_PROCESSES = 1\n"
        "decoding.count_workers = lambda: 2\n"
        "files = sorted(Path(__file__).parent.glob('*.png'))\n"
        "decoding.decode_files(files, 8, 'Decoding', DataAccess(Path('data')))\n"
        "print('ran')\n"
    )
    repository = str(Path(decoding.__file__).parents[3])
    ran = subprocess.run(
        [sys.executable, str(script)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": repository},
    )
    assert (ran.stdout, ran.stderr) == ("ran\n", "")
