"""An oracle for d = 2, linear readout, small widths: the error of every one of the 2^N subsets.

Between consecutive breakpoint rays the residual is <v, x>; on the unit circle its largest size on
such an arc is attained at an end or at +-v/||v||.
"""

import numpy as np


def errors_of_all(hidden, output, target):
    """float64 [2^N]: sup over the unit circle of |g_S - f|; bit i of the index keeps unit i."""
    hidden, output = np.asarray(hidden, float), np.asarray(output, float)
    count = len(output)
    keep = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    normals = np.vstack([hidden, target, [[1.0, 0.0], [0.0, 1.0]]])
    angles = np.arctan2(-normals[:, 0], normals[:, 1])
    rays = np.sort(np.concatenate([angles, angles + np.pi]) % (2 * np.pi))
    worst = np.zeros(len(keep))
    for start, stop in zip(rays, np.append(rays[1:], rays[0] + 2 * np.pi), strict=True):
        middle = np.array([np.cos((start + stop) / 2), np.sin((start + stop) / 2)])
        active = (hidden @ middle > 0)[:, None] * hidden * output[:, None]
        gradient = keep @ active
        if target @ middle > 0:
            gradient = gradient - target
        for ray in (start, stop):
            value = gradient @ np.array([np.cos(ray), np.sin(ray)])
            np.maximum(worst, np.abs(value), out=worst)
        turn = np.arctan2(gradient[:, 1], gradient[:, 0])
        inside = ((turn - start) % np.pi) <= stop - start
        length = np.hypot(gradient[:, 0], gradient[:, 1])
        np.maximum(worst, np.where(inside, length, 0.0), out=worst)
    return worst


def gaussian(width, seed):
    """The network and target of the published experiments: all weights standard normal."""
    rng = np.random.default_rng(seed)
    hidden, output = rng.standard_normal((width, 2)), rng.standard_normal(width)
    target = rng.standard_normal(2)
    return hidden, output, target / np.linalg.norm(target)
