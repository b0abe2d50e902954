import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from slth.pruning.neurons.plane.frame import Frame, Half, frame_of
from slth.pruning.neurons.plane.paths import count_paths, list_paths, new_climb, new_paths
from tests.pruning.neurons.every_subset import gaussian

SLOPES = (-3.0, 2.0)


def even_part(frame: Frame, keep: np.ndarray, angle: np.ndarray, *, mirrored: bool) -> np.ndarray:
    """E at the angles in (0, pi) of a half with these units, from the start (0, 0)."""
    places = frame.place * ([-1.0, 1.0] if mirrored else [1.0, 1.0])
    kinks = np.arctan2(places[keep, 1], places[keep, 0])
    # A kink of jump c at t adds c sin(s - t) from t on.
    return np.maximum(np.sin(angle[:, None] - kinks), 0.0) @ frame.jump[keep]


def start_exists(base: np.ndarray, angle: np.ndarray, eps: float) -> bool:
    """Whether |base + alpha cos + beta sin| <= eps at the angles for some allowed start."""
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    solved = linprog(
        [0.0, 0.0],
        A_ub=np.vstack([rows, -rows]),
        b_ub=np.concatenate([eps - base, eps + base]),
        bounds=[(-eps, eps), SLOPES],
    )
    return solved.status == 0


def listed(half: Half, eps: float, batch: int, most: int) -> set[int]:
    bands, climb = eps * half.band, new_climb(half, (-eps, SLOPES[0]), (eps, SLOPES[1]))
    ends, kept = new_paths(half, batch)
    place, found = 0, []
    while place >= 0:
        place, count, _ = list_paths(half, bands, climb, place, ends, kept, most)
        found += kept[:count, 0].tolist()
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("seed", range(4))
def test_lists_the_paths_that_some_start_keeps_in_the_band(seed):
    hidden, output, target = gaussian(12, seed)
    frame = frame_of(hidden, output, target)
    assert frame is not None
    split = frame.split()
    for side, half in enumerate(frame.halves(split)):
        units = np.arange(split) if side == 0 else np.arange(split, 12)[::-1]
        places = frame.place[units] * ([1.0, 1.0] if side == 0 else [-1.0, 1.0])
        kinks = np.arctan2(places[:, 1], places[:, 0])
        other = frame.place[split] if side == 0 else frame.place[split - 1] * [-1.0, 1.0]
        end = min(0.75 * np.pi, np.arctan2(other[1], other[0]))
        angle = np.concatenate([kinks, [0.25 * np.pi, end]])
        for eps in (0.15, 0.4):
            expected = set()
            for choice in itertools.product([False, True], repeat=len(units)):
                keep = units[np.array(choice, bool)]
                base = even_part(frame, keep, angle, mirrored=side == 1)
                if start_exists(base, angle, eps):
                    expected.add(sum(1 << j for j, kept in enumerate(choice) if kept))
            assert listed(half, eps, 1000, 10**6) == expected
            assert listed(half, eps, 3, 5) == expected


def test_a_crowd_that_is_not_thinned_counts_exactly():
    hidden, output, target = gaussian(14, 3)
    frame = frame_of(hidden, output, target)
    assert frame is not None
    half = frame.halves(frame.split())[0]
    eps = 0.3
    start, stop = (-eps, SLOPES[0]), (eps, SLOPES[1])
    rng = np.random.default_rng(0)
    exact = len(listed(half, eps, 10_000, 10**6))
    assert count_paths(half, eps * half.band, start, stop, 5000, rng)[-1] == exact
    thinned = [count_paths(half, eps * half.band, start, stop, 20, rng)[-1] for _ in range(200)]
    assert np.mean(thinned) == pytest.approx(exact, rel=0.3)
