import pytest
import torch

from cnn_train.errors import (
    OUT_OF_MEMORY,
    UsageError,
    counted,
    describe_shortage,
    refusals_explained,
    spelled_for_python,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("می\u200cخواهم", "می\u200cخواهم"), ("क्\u200dष", "क्\u200dष"), ("👩\u200d👧", "👩\u200d👧"),
        ("a\u200db", "a\\u200db"), ("\u200dक", "\\u200dक"), ("a\tb\x1b[1m", "a\\tb\\x1b[1m"),
        ("5\u200a%", "5\u200a%"), ("café\xa0noir\n", "café\xa0noir\n"), ("\u202eltr", "\\u202eltr"),
        ("\udce9", "\\udce9"), ("日本語 زرافة", "日本語 زرافة"),
    ],
)  # fmt: skip
def test_letters_that_hide_are_spelled_out_and_all_others_kept(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_every_librarys_lack_of_memory_is_recognised(problem: Exception) -> None:
    assert describe_shortage(problem) == OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("advised", "in_python"),
    [
        ("--device cuda:7: none here; use --device cpu",
         'device="cuda:7": none here; use device="cpu"'),
        ("--new-head leaves it fresh", "new_head=True leaves it fresh"),
        ("choose a smaller rate: --set optimizer.lr=…",
         'choose a smaller rate: optimizer={"lr": …}'),
        ("try --set batch_size=64 or less", "try batch_size=64 or less"),
        ("with: cnn-train fit --config CONFIG --weights a.pth --new-head",
         'with: train(..., weights="a.pth", new_head=True)'),
        ("`cnn-train runs --run-root x` lists runs", "`cnn-train runs --run-root x` lists runs"),
    ],
)  # fmt: skip
def test_a_caller_of_the_python_api_is_advised_arguments_not_flags(
    advised: str, in_python: str
) -> None:
    with pytest.raises(UsageError) as caught, spelled_for_python():
        raise UsageError(advised)
    assert str(caught.value) == in_python


def test_a_lack_of_threads_is_named() -> None:
    message = describe_shortage(RuntimeError("can't start new thread"))
    assert message.startswith("the system allows no more threads; allow more with ulimit -u")


def test_a_gpu_that_is_lost_is_named_with_what_to_do() -> None:
    lost = torch.AcceleratorError("CUDA error: GPU is lost.\nCompile with TORCH_USE_CUDA_DSA")
    assert describe_shortage(lost) == (
        "the GPU failed (CUDA error: GPU is lost); look at it with nvidia-smi, "
        "then go on with fit --resume"
    )


@pytest.mark.parametrize(
    "problem",
    [
        RuntimeError("shapes do not fit"),
        ImportError("no module named x"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
    ],
)
def test_a_bug_of_ours_is_no_shortage(problem: Exception) -> None:
    assert describe_shortage(problem) is None


def test_what_torch_refuses_to_compute_deterministically_is_named() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with (
            pytest.raises(UsageError, match=r"^--deterministic: this network needs put_, which"),
            refusals_explained(),
        ):
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)


def test_any_other_error_of_torch_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"), refusals_explained():
        raise RuntimeError("shapes do not fit")


def test_one_is_singular_and_every_other_number_plural() -> None:
    texts = [counted(n, noun) for n, noun in ((0, "image"), (1, "epoch"), (2, "class"))]
    assert texts == ["0 images", "1 epoch", "2 classes"]
    assert counted(2, "epoch") == "2 epochs"
    assert counted(5000, "minibatch") == "5,000 minibatches"
