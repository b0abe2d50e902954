"""Single weights of trained networks: against every mask of tiny ones, and against samples."""

import itertools

import numpy as np
import pytest

import slth
from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.program import program_of
from slth.certify.deep.region import Region
from slth.pruning.trained.connections import Connections
from slth.pruning.trained.effects import certified_effects, sampled_effects
from slth.pruning.trained.evaluated import margin_of
from slth.pruning.trained.idle import idle_weights
from slth.pruning.trained.least import least_weights
from tests.certify.deep.networks import KINDS
from tests.pruning.trained.exact_line import fewest, largest_difference

LINE = slth.Box(-1.0, 1.0)
TINY = 16


def tiny(seed):
    """One input, at most 12 weights that are multiples of 1/16, some of them 0; some units dead or
    read by nothing."""
    rng = np.random.default_rng(seed)
    widths = [(3,), (2, 2), (4,), (2,)][seed % 4]
    sizes = [1, *widths, 1 + seed % 2]
    layers = []
    for ins, outs in itertools.pairwise(sizes):
        weight = np.round(rng.normal(size=(outs, ins)) * 16) / 16
        weight *= rng.choice([0.0, 0.0625, 1.0, 1.0, 1.0, 1.0], weight.shape)
        layers.append(slth.Dense(weight, np.round(rng.normal(size=outs) * 8) / 16))
    if seed % 3 == 0:
        first = layers[0]
        layers[0] = slth.Dense(first.weight, [*first.bias[:-1], -8.0])
    return slth.DeepNetwork(layers)


def errors_of(network):
    """The exact error of every mask: {kept as a tuple: error}."""
    parts = Connections(network)
    there = np.flatnonzero(parts.present)
    found = {}
    for flags in itertools.product((False, True), repeat=len(there)):
        kept = np.zeros(parts.total, np.bool_)
        kept[there] = flags
        found[tuple(kept.tolist())] = largest_difference(parts.without(kept), network, -1, 1)
    return found


def judged(seed, share):
    """One network against all its masks; the status that was given."""
    network = tiny(seed)
    errors = errors_of(network)
    eps = share * float(max(errors.values())) + 1e-6
    found = slth.compress(network, LINE, eps=eps, granularity="weights", time_limit=None)
    flags = tuple(np.concatenate([mask.ravel() for mask in found.kept]).tolist())
    assert found.error.lower <= errors[flags] <= found.error.upper <= eps
    assert found.least_weights <= fewest(errors, eps) <= found.weights == sum(flags)
    if found.status == "optimal":
        assert found.weights == fewest(errors, eps)
    parts = Connections(network)
    points = np.random.default_rng(seed).uniform(-1.0, 1.0, (64, 1))
    assert least_weights(parts, points, LINE, eps) <= fewest(errors, eps)
    return found.status


@pytest.mark.parametrize("seed", range(TINY))
def test_every_claim_against_every_mask(seed):
    assert judged(seed, [0.02, 0.1, 0.3][seed % 3]) == "optimal"


@pytest.mark.parametrize("seed", range(TINY))
def test_what_goes_for_nothing_changes_nothing(seed):
    network = tiny(seed)
    errors = errors_of(network)
    free = idle_weights(Connections(network), LINE)
    assert errors[tuple(free.needed.tolist())] == 0
    for flags, error in errors.items():
        assert errors[tuple((np.array(flags) & ~free.always).tolist())] == error


def test_a_dead_unit_that_lives_without_a_weight_is_not_always_idle():
    # relu(1 - 4 x) is 0 on the box; without its weight it is 1.
    first = slth.Dense([[1.0], [-4.0]], [0.0, 1.0])
    network = slth.DeepNetwork([first, slth.Dense([[1.0, 1.0]])])
    free = idle_weights(Connections(network), slth.Box(0.5, 1.0))
    assert free.needed.tolist() == [True, False, True, False]
    assert not free.always.any()
    # On [.5, 1] the network is x; of the dead unit's last weight alone it is 1.
    found = slth.compress(
        network, slth.Box(0.5, 1.0), eps=0.51, granularity="weights", time_limit=None
    )
    assert found.weights == 1
    assert found.status == "optimal"
    assert found.kept[1].tolist() == [[False, True]]


@pytest.mark.parametrize("kind", KINDS)
def test_any_network_keeps_its_bound(kind):
    rng = np.random.default_rng(len(kind))
    network = KINDS[kind](rng)
    points = rng.uniform(-1.0, 1.0, (4000, network.d))
    eps = 0.2 * float(np.ptp(network(points)))
    found = slth.compress(network, LINE, eps=eps, granularity="weights", time_limit=3.0)
    before = sum(np.count_nonzero(layer.weight) for layer, _ in network.affine())
    assert found.weights < before
    assert np.abs(found.network(points) - network(points)).max() <= found.error.upper <= eps
    layers = zip(found.network.affine(), network.affine(), found.kept, strict=True)
    for (one, _), (other, _), mask in layers:
        np.testing.assert_array_equal(one.weight, other.weight * mask)
        np.testing.assert_array_equal(one.bias, other.bias)


@pytest.mark.parametrize("kind", KINDS)
def test_effects_are_those_of_single_weights(kind):
    rng = np.random.default_rng(3)
    network = KINDS[kind](rng)
    parts = Connections(network)
    points = rng.uniform(-1.0, 1.0, (40, network.d))
    certified = certified_effects(network, LINE)
    rows = np.broadcast_to(np.eye(network.outputs), (40, network.outputs, network.outputs))
    sampled = sampled_effects(network, points, rows)
    original = network.logits(points)
    for weight in np.flatnonzero(parts.present)[:: max(1, parts.total // 40)]:
        kept = parts.present.copy()
        kept[weight] = False
        apart = np.abs(parts.outputs(points, kept) - original).max()
        assert apart <= certified[weight] * (1.0 + 1e-9)
        region = Region.of(LINE, network.d)
        program = program_of(parts.without(kept), network)
        bound = relax(Difference.of(program, region), region).highest().max()
        assert apart <= bound
    # To first order: a weight that is all but 0 already.
    last = network.items[-1]
    if isinstance(last, slth.Dense):
        begin = parts.total - last.weight.size
        kept = parts.present.copy()
        kept[begin] = False
        apart = np.abs(parts.outputs(points, kept) - original).max()
        np.testing.assert_allclose(sampled[begin], apart, rtol=1e-9)


def test_budgets_of_weights():
    network = KINDS["mlp"](np.random.default_rng(5))
    sizes = [int(mask.sum()) for mask in Connections(network).split(Connections(network).present)]
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (3000, network.d))
    for options in ({"weights": 20}, {"weights": [n // 2 for n in sizes]}, {"ratio": 0.5}):
        found = slth.compress(network, LINE, granularity="weights", time_limit=3.0, **options)
        counts = [int(mask.sum()) for mask in found.kept]
        most = options.get("weights", sum(sizes) // 2)
        if isinstance(most, int):
            assert sum(counts) <= most
        else:
            assert all(a <= b for a, b in zip(counts, most, strict=True))
        assert np.abs(found.network(points) - network(points)).max() <= found.error.upper


def test_labels_around_rows_keep_with_fewer_weights():
    rng = np.random.default_rng(2)
    first = slth.Dense(rng.normal(size=(8, 3)), rng.normal(size=8))
    network = slth.DeepNetwork([first, slth.Dense(rng.normal(size=(3, 8)))])
    rows = rng.uniform(-1.0, 1.0, (12, 3))
    found = slth.compress(
        network, LINE, agree_on=rows, radius=0.02, granularity="weights", time_limit=20.0
    )
    assert found.stats["rows"] + found.stats["rows left out"] == 12
    assert found.weights < 40
    for row, verdict in zip(
        rows, slth.agree_on(network, network, rows, radius=0.02, within=LINE), strict=True
    ):
        if verdict.status == "agree":
            points = np.clip(row + rng.uniform(-0.02, 0.02, (300, 3)), -1.0, 1.0)
            assert (found.network(points).argmax(axis=1) == network(row).argmax()).all()


def test_the_table_counts_weights():
    found = slth.compress(tiny(2), LINE, eps=0.3, granularity="weights")
    text = found.table()
    for word in ("weights not 0", "no fewer weights than", "certified error", "hidden units"):
        assert word in text
    assert "weights" in repr(found)
    assert found.least_units == 0


def test_a_constant_may_be_within_eps_of_all_values():
    # relu(x + 2) is within 1.01 of 2 on [-1, 1], though its values are 2 apart.
    network = slth.DeepNetwork([slth.Dense([[1.0]], [2.0]), slth.Dense([[1.0]])])
    points = np.linspace(-1.0, 1.0, 33)[:, None]
    parts = Connections(network)
    assert least_weights(parts, points, LINE, 1.01) == 0
    assert least_weights(parts, points, LINE, 0.99) == 2
    both = slth.DeepNetwork([slth.Dense(np.eye(2), [2.0, 2.0]), slth.Dense([[1.0, 0.505]])])
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    # The second input moves the output by 1.01 alone.
    assert least_weights(Connections(both), corners, LINE, 0.5) == 3
    assert least_weights(Connections(both), corners, LINE, 0.51) == 2


@pytest.mark.parametrize("place", ["body", "before"])
def test_the_margin_holds_what_weights_are_known_up_to(place):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(3, 3)) for _ in range(3)]

    def built(shift, off):
        moved = [weight + shift for weight in weights[:2]]
        layers = [slth.Dense(moved[0], weight_rounding=off if place == "before" else None)]
        layers.append(slth.Dense(moved[1], weight_rounding=off if place == "body" else None))
        last = slth.Dense(weights[2])
        return slth.DeepNetwork([layers[0], slth.Residual((layers[1],)), last])

    points = rng.uniform(-1.0, 1.0, (50, 3))
    off = np.full((3, 3), 0.01)
    margin = margin_of(built(0.0, off), points)
    one = built(0.0, None)(points)
    signs = 0.01 * rng.choice([-1.0, 1.0], (3, 3))
    first, block, last = built(0.0, None).items
    if place == "before":
        first = slth.Dense(first.weight + signs)
    else:
        block = slth.Residual((slth.Dense(block.body[0].weight + signs),))
    other = slth.DeepNetwork([first, block, last])(points)
    assert np.abs(other - one).max() <= margin <= 50.0 * np.abs(other - one).max()


BAD = {
    "no such granularity": {"granularity": "layers", "eps": 0.1},
    "units of weights": {"granularity": "weights", "units": 3},
    "weights of neurons": {"weights": 3},
    "weights of other layers": {"granularity": "weights", "weights": [1, 2, 3, 4, 5]},
    "biases that take over": {"granularity": "weights", "eps": 0.1, "compensate": True},
    "folding": {"granularity": "weights", "eps": 0.1, "fold": True},
    "merging": {"granularity": "weights", "eps": 0.1, "merge": True},
}


@pytest.mark.parametrize("options", BAD.values(), ids=BAD)
def test_bad_input(options):
    with pytest.raises(slth.InvalidInput):
        slth.compress(tiny(2), LINE, **options)
