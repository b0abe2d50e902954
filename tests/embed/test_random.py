"""The generator against its published answers, and the weights it makes."""

import numpy as np
import pytest

from slth.embed.random import entry, philox

# Random123's known answers for philox4x32-10: counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_words(counter, key, answer):
    words = philox(*map(np.uint64, counter), *map(np.uint64, key))
    assert tuple(int(word) for word in words) == answer


def python_entry(seed, layer, stream, index):
    """The documented rule in Python's integers."""
    c = [index >> 2 & 0xFFFFFFFF, index >> 34, layer, stream]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return (2 * (c[index & 3] >> 8) + 1) / 2**24 - 1


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 123_456_789_013, 2**60 + 7])
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_entries_follow_the_documented_rule(seed, index):
    found = entry(np.uint64(seed), np.uint64(5), np.uint64(1), np.uint64(index))
    assert found == python_entry(seed, 5, 1, index)
    assert float(np.float32(found)) == found != 0.0


def test_entries_look_uniform():
    values = np.array(
        [entry(np.uint64(3), np.uint64(0), np.uint64(0), np.uint64(k)) for k in range(20_000)]
    )
    # Five standard deviations of mean and mean square of a uniform sample.
    assert abs(values.mean()) < 5 / np.sqrt(3 * len(values))
    assert abs((values**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(values))
