"""Many files at once: in order, by threads or processes, which end whatever happens to us."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torture_campaign.children import wait_until

from cnn_train.data.images import decoding, processes
from cnn_train.data.images.decoding import decode_batches
from cnn_train.data.images.files import load_image
from cnn_train.data.images.square import Reading, fit_square
from cnn_train.errors import DataError, ResourceError

SIZE_PX = 8


@pytest.fixture
def paths(tmp_path):
    """More images than a process gets at once: of several sizes, one's name is no Unicode."""
    rng = np.random.default_rng(0)
    files = []
    for i in range(150):
        side = int(rng.integers(5, 20))
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        files.append(tmp_path / (os.fsdecode(b"\xff.png") if i == 70 else f"{i:03}.png"))
        with files[-1].open("wb") as file:
            Image.fromarray(pixels).save(file, "PNG")
    return files


@pytest.fixture
def in_processes(monkeypatch):
    """Decode any number of files in two processes."""
    monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", 1)
    monkeypatch.setattr(decoding, "count_workers", lambda: 2)


def decode(
    files, batch_size=40, act: Callable[[], object] = lambda: None, size_px=SIZE_PX, **options
):
    """Decode everything; ``act`` whenever a batch has come."""
    batches = []
    with closing(
        decode_batches(files, Reading(size_px), batch_size, num_ahead=1, **options)
    ) as decoded:
        for batch in decoded:
            batches.append(batch)
            act()
    return batches


def described(batches):
    """What is known of the files, whatever the batches."""
    pixels = np.concatenate([batch.pixels_BCHW for batch in batches])
    files = [file for batch in batches for file in batch.files]
    errors = [error for batch in batches for error in batch.errors]
    paths, notices = [file.path for file in files], [file.notices for file in files]
    return paths, pixels.tolist(), notices, errors


def active_children():
    """The numbers of the processes that decode for us: no others that tests have started."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    code = processes.CODE.encode()
    return [child for child in children if code in Path(f"/proc/{child}/cmdline").read_bytes()]


def have_ended(workers):
    return not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_each_image_is_what_it_is_alone_in_the_files_order(paths):
    batches = decode(paths)
    assert [len(batch.files) for batch in batches] == [40, 40, 40, 30]
    names, pixels, *_ = described(batches)
    assert names == list(map(str, paths))
    for path, pixels_CHW in zip(paths, pixels, strict=True):
        alone_HWC = fit_square(load_image(path).pixels_HWC, SIZE_PX)
        assert np.array_equal(np.moveaxis(pixels_CHW, 0, -1), alone_HWC)


def test_processes_decode_and_remark_as_threads_do_and_end_with_their_work(paths, in_processes):
    paths[80].rename(paths[80].with_suffix(".jpg"))
    paths[80] = paths[80].with_suffix(".jpg")
    paths[90] = paths[90].with_name("gone.png")
    workers = []
    by_processes = described(decode(paths, act=lambda: workers.extend(active_children())))
    assert len(set(workers)) == 2 and have_ended(workers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", 1_000)
        by_threads = described(decode(paths, act=lambda: workers.extend(active_children())))
    assert by_processes == by_threads
    assert len(set(workers)) == 2
    names, _, notices, (error,) = by_processes
    assert notices[80] == ("is a PNG file, although its name ends in .jpg",)
    assert names[89:91] == [str(paths[89]), str(paths[91])]
    assert error.message == f"{paths[90]}: no such file; check the path"


@pytest.mark.parametrize("number", [1, 1_000])
def test_a_problem_that_is_not_tolerated_ends_the_decoding(
    paths, in_processes, monkeypatch, number
):
    monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", number)
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        decode([*paths, paths[0].with_name("gone.png")], tolerated=())
    assert active_children() == []


def test_what_the_machine_lacks_is_an_error_of_the_file_only_where_that_is_tolerated(
    paths, monkeypatch
):
    def lack(path, grey_bits):
        raise ResourceError(f"{path}: too many open files")

    monkeypatch.setattr(decoding, "load_image", lack)
    with pytest.raises(ResourceError, match="too many open files"):
        decode(paths)
    (batch,) = decode(paths[:1], tolerated=(DataError, ResourceError))
    assert batch.errors[0].message == f"{paths[0]}: too many open files"


def test_a_killed_process_is_a_lack_of_resources_and_no_hang(paths, in_processes):
    """What a pipe cannot hold at once is killed half sent."""
    workers = []

    def kill_all():
        workers.extend(active_children())
        for worker in workers:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(worker, signal.SIGKILL)

    with pytest.raises(ResourceError, match=r"was killed \(SIGKILL\), perhaps for lack of memory"):
        decode(paths * 20, act=kill_all, size_px=128)
    assert have_ended(workers)


def test_a_stopped_process_is_given_up_and_ended(paths, in_processes, monkeypatch):
    workers = []

    def stop_all():
        monkeypatch.setattr(decoding, "SILENT_SECONDS", 0.3)
        workers.extend(active_children())
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)

    with pytest.raises(ResourceError, match=r"silent for 0\.3 seconds; see whether the disk"):
        decode(paths * 20, act=stop_all)
    assert have_ended(workers)


def test_ctrl_c_in_the_terminal_is_not_for_the_processes(paths, in_processes):
    def interrupt_all():
        for worker in active_children():
            os.kill(worker, signal.SIGINT)

    assert len(decode(paths * 5, act=interrupt_all)) == 19


@pytest.mark.parametrize("number", [1, 10_000])
def test_an_interruption_leaves_neither_process_nor_thread(
    paths, in_processes, monkeypatch, number
):
    monkeypatch.setattr(decoding, "LEAST_FILES_FOR_PROCESSES", number)
    workers, threads = [], threading.active_count()

    def interrupt():
        workers.extend(active_children())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(paths * 20, act=interrupt)
    assert len(workers) == (2 if number == 1 else 0)
    assert have_ended(workers)
    assert threading.active_count() == threads


def test_threads_finish_one_photograph_each_after_an_interruption(tmp_path, monkeypatch):
    begun = []

    def load(path, grey_bits):
        begun.append(path)
        time.sleep(0.02)
        raise DataError("no image")

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding, "load_image", load)
    monkeypatch.setattr(decoding, "count_workers", lambda: 2)
    photographs = [tmp_path / f"{i}.jpg" for i in range(100)]
    photographs[0].write_bytes(bytes(100_000))
    with pytest.raises(KeyboardInterrupt):
        decode(photographs, batch_size=1, act=interrupt)
    assert len(begun) <= 4


@pytest.mark.parametrize("num_ahead", [0, 1, 3])
def test_as_many_batches_as_asked_for_are_read_ahead(paths, monkeypatch, num_ahead):
    loaded = []
    monkeypatch.setattr(
        decoding, "load_image", lambda path, bits: (loaded.append(path), load_image(path))[1]
    )
    batches = decode_batches(paths, Reading(SIZE_PX), 10, num_ahead=num_ahead)
    for number in (1, 2):
        next(batches)
        expected = 10 * (number + num_ahead)
        wait_until(lambda expected=expected: len(loaded) >= expected, "files read ahead")
    time.sleep(0.1)
    batches.close()
    assert len(loaded) == 10 * (2 + num_ahead)


def test_small_files_are_read_by_one_thread_and_photographs_on_all_cores(tmp_path, monkeypatch):
    readers = set()

    def load(path, grey_bits):
        readers.add(threading.get_ident())
        time.sleep(0.02)
        raise DataError("no image")

    monkeypatch.setattr(decoding, "load_image", load)
    monkeypatch.setattr(decoding, "count_workers", lambda: 4)
    for num_bytes, expected in ((900, 1), (100_000, 4)):
        readers.clear()
        paths = [tmp_path / f"{num_bytes}-{i}.jpg" for i in range(100)]
        for path in paths:
            path.write_bytes(bytes(num_bytes))
        decode(paths)
        assert len(readers) == expected


@pytest.mark.parametrize("executable", ["", "/usr/bin/blender", "exit 1", "exec sleep 100"])
def test_where_python_cannot_start_itself_threads_decode(
    paths, in_processes, monkeypatch, tmp_path, executable
):
    workers = []
    if executable.startswith("e"):
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{executable}\n")
        python.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(python))
        monkeypatch.setattr(processes, "SILENT_SECONDS", 1.0)
    else:
        monkeypatch.setattr(sys, "executable", executable)
    decoded = decode(paths, act=lambda: workers.extend(active_children()))
    assert len(described(decoded)[0]) == 150
    assert have_ended(workers)


def test_where_too_few_files_may_be_open_threads_decode(paths, in_processes):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 8, hard)
    )
    try:
        decoded = decode(paths)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    names, _, _, errors = described(decoded)
    assert (len(names), errors) == (150, [])


def test_a_decoding_process_imports_no_torch():
    code = f"import sys, {decoding.__name__}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


SCRIPT = """\
import os, signal
from pathlib import Path
from cnn_train.data.images import decoding, processes
from cnn_train.data.images.square import Reading
decoding.LEAST_FILES_FOR_PROCESSES = 1
decoding.count_workers = lambda: 2
files = sorted(Path(__file__).parent.glob('*.png')) * 20
if {killed!r} == 'while they start':
    processes.Connection.poll = lambda ours, seconds: os.kill(os.getpid(), signal.SIGKILL)
for batch in decoding.decode_batches(files, Reading(8), 40, num_ahead=1):
    if {killed!r} == 'at work':
        print(*Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
print('ran')
"""


def run_script(folder: Path, killed: str) -> subprocess.CompletedProcess[str]:
    """Run a script without a main guard where a file has the name of a standard module."""
    (folder / "script.py").write_text(SCRIPT.format(killed=killed))
    (folder / "here").mkdir()
    (folder / "here" / "socket.py").write_text("raise SystemExit('not the real socket')")
    return subprocess.run(
        [sys.executable, str(folder / "script.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder / "here",
        env={**os.environ, "PYTHONPATH": str(Path(decoding.__file__).parents[3])},
    )


def test_a_script_without_a_main_guard_runs_once(paths, tmp_path):
    ran = run_script(tmp_path, "never")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ran\n", "")


def test_processes_whose_parent_was_killed_end_by_themselves(paths, tmp_path):
    ran = run_script(tmp_path, "at work")
    workers = [Path("/proc", pid) for pid in ran.stdout.split()]
    assert (ran.returncode, len(workers), ran.stderr) == (-signal.SIGKILL, 2, "")
    wait_until(lambda: not any(worker.exists() for worker in workers), "the workers' end")


def test_processes_whose_parent_is_killed_while_they_start_say_nothing(paths, tmp_path):
    ran = run_script(tmp_path, "while they start")
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGKILL, "", "")
