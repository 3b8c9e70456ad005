"""One bit of a checkpoint is flipped: no reader may accept the file."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from cnn_train.errors import CheckpointError

from . import plain_loop
from .campaign import Campaign
from .fork_server import resolve
from .phases import die_at
from .rows import Count, Row, count_row
from .tiny_run import same

PART = "flips"
LOAD = "cnn_train.checkpoints.checkpoint:load_checkpoint"


def flip_rows(campaign: Campaign) -> Iterator[Row]:
    """Flip bits of our checkpoint and of the plain one, then let damaged runs go on."""
    number = campaign.amount(1_200, 120)
    accepted = flip_ours(campaign, number)
    plain = campaign.call(flip_plain, number=number)
    yield Row(
        PART, "flipped bits rejected", Count(number - len(accepted), number),
        Count(plain["rejected"], number),
        f"plain: {plain['different']} loaded with other values, {plain['equal']} with the same",
        tuple(f"bit {bit} was not noticed" for bit in accepted),
    )  # fmt: skip
    name = "the run went on from the state before, said so, ended bit-equal"
    yield count_row(PART, name, go_on_from_flipped(campaign, campaign.amount(20, 2)))


def flip_ours(campaign: Campaign, number: int, load: str = LOAD) -> list[int]:
    """Return the bits whose flip ``load`` did not notice, of ``number`` spread over the file."""
    arguments = {"file": campaign.two_states[1], "number": number, "load": load}
    accepted: list[int] = campaign.call(accepted_flips, **arguments)
    return accepted


def chosen_bits(num_bytes: int, number: int) -> list[int]:
    """Spread ``number`` bits over a file from its first to its last, at every place in a byte."""
    last = 8 * num_bytes - 1
    return [round(i * last / (number - 1)) for i in range(number)]


def flipped(content: bytes, bit: int) -> bytes:
    """Return ``content`` with one bit flipped."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def accepted_flips(file: str, number: int, load: str = LOAD) -> list[int]:
    """Return the bits whose flip was not refused by the real load as a damaged checkpoint."""
    content, load_file = Path(file).read_bytes(), resolve(load)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "flipped.ckpt"
        accepted = []
        for bit in chosen_bits(len(content), number):
            path.write_bytes(flipped(content, bit))
            try:
                load_file(path)
            except CheckpointError:
                continue
            except Exception:  # a user would see a traceback
                pass
            accepted.append(bit)
    return accepted


def flip_plain(number: int) -> dict[str, int]:
    """Count the flips that ``torch.load`` rejects, and what it makes of the others."""
    counts = {"rejected": 0, "different": 0, "equal": 0}
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / plain_loop.FILE
        state = plain_loop.make_state(1)
        plain_loop.save(state, path)
        content = path.read_bytes()
        for bit in chosen_bits(len(content), number):
            path.write_bytes(flipped(content, bit))
            try:
                loaded = torch.load(path)
            except Exception:
                counts["rejected"] += 1
                continue
            counts["equal" if same(loaded, state) else "different"] += 1
    return counts


def go_on_from_flipped(campaign: Campaign, number: int) -> list[str]:
    """Kill runs once they have saved several states, damage the last one, and go on.

    Returns for each run why it did not end bit-equal, if so.
    """
    dice, failures = campaign.dice(PART), []
    for _ in range(number):
        run = campaign.tiny_run("flipped")
        campaign.command(run.arguments, die_at, phase="training", nth=15).wait()
        last = run.run.last_checkpoint
        content = last.read_bytes()
        last.write_bytes(flipped(content, dice.randrange(8 * len(content))))
        ended = campaign.command(run.arguments).wait()
        is_good = ended.exit_code == 0 and "going on from" in ended.stderr
        is_good = is_good and run.equals(campaign.reference)
        failures.append("" if is_good else ended.summary)
    return failures
