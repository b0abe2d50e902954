"""What a unit sees of a sphere of latitude, in ball arithmetic.

U(t) is uniform on {x in S^(d-1): <x, w*> = t}; a unit direction v at angle theta from w* gives

    L(theta, t) = E relu(<v, x>) = E relu(cos(theta) t + sin(theta) sqrt(1 - t^2) Y),

Y the first coordinate of a uniform point of S^(d-2), density C_d (1 - y^2)^((d-4)/2), d >= 3. Half
the sum over t and -t is its even part M(theta, t) = L - cos(theta) t / 2 = E|<v, x>| / 2. With
q = min(1, cot(theta) t / sqrt(1 - t^2)), b = (d - 2)/2, 0 <= theta <= pi/2, t >= 0,

    M  = cos(theta) t P + sin(theta) sqrt(1 - t^2) Q,     P = I_{q^2}(1/2, b) / 2,
    M' = -sin(theta) t P + cos(theta) sqrt(1 - t^2) Q,    Q = C_d (1 - q^2)^b / (d - 2),

and M'' + M = psi = C_d t^2 (1 - t^2)^((3-d)/2) sin(theta)^(1-d) (sin(theta)^2 - t^2)^((d-4)/2)
where sin(theta) > t, 0 where sin(theta) < t. Proofs: docs/theory/zonal.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import arb

from slth.theory.arithmetic import float_ball

# The ball [-1, 1].
_UNIT = arb(0, 1)


def spherical_constant(d: int) -> arb:
    """C_d = Gamma((d-1)/2) / (sqrt(pi) Gamma((d-2)/2)), d >= 3."""
    half = arb(1) / 2
    return ((half * (d - 1)).lgamma() - (half * (d - 2)).lgamma()).exp() / arb.pi().sqrt()


def angle_mass(d: int) -> arb:
    """W = int_0^pi sin(theta)^(d-2) dtheta: a uniform direction's angle to w* has that density
    over W."""
    half = arb(1) / 2
    return arb.pi().sqrt() * ((half * (d - 1)).lgamma() - (half * d).lgamma()).exp()


def mean_size(d: int) -> arb:
    """E|a| E||w|| for a ~ N(0, 1), w ~ N(0, I_d)."""
    half = arb(1) / 2
    return 2 / arb.pi().sqrt() * ((half * (d + 1)).lgamma() - (half * d).lgamma()).exp()


@dataclass(frozen=True)
class Latitude:
    """One latitude t in [0, 1) in dimension d, with what does not depend on the unit.

    Attributes:
        d: input dimension, >= 3.
        t: the latitude, exactly.
        width: sqrt(1 - t^2).
        factor: C_d t^2 (1 - t^2)^((3-d)/2), of psi.
    """

    d: int
    t: arb
    width: arb
    factor: arb

    @classmethod
    def at(cls, d: int, t: float) -> Latitude:
        """The latitude of that float64 number, 0 <= t < 1."""
        exact = float_ball(t)
        rest = 1 - exact * exact
        power = rest.sqrt() ** (3 - d)
        return cls(d, exact, rest.sqrt(), spherical_constant(d) * exact * exact * power)

    def seen(self, cosine: arb, sine: arb) -> tuple[arb, arb]:
        """M and M' at an angle with that cosine and sine, both >= 0."""
        share, height = self._parts(cosine, sine)
        along, across = self.t * share, self.width * height
        return cosine * along + sine * across, cosine * across - sine * along

    def share(self, cosine: arb, sine: arb) -> arb:
        """P, from 1/2 at angles before the kink falling to 0 at pi/2. It bounds the integral of
        psi: psi dtheta = C_d (t / sin(theta)) (1 - q^2)^((d-4)/2) |dq| = (t / sin(theta)) |dP|, and
        t <= sin(theta) wherever psi is not 0. So int psi <= P(left end) - P(right end)."""
        return self._parts(cosine, sine)[0]

    def _parts(self, cosine: arb, sine: arb) -> tuple[arb, arb]:
        half = arb(1) / 2
        if cosine * self.t >= sine * self.width:
            return half, arb(0)
        b = half * (self.d - 2)
        q = cosine * self.t / (sine * self.width)
        square = q * q
        if not square < 1:
            # Which side of the kink is undecided at this precision: all that either side can be.
            bound = spherical_constant(self.d) / (self.d - 2)
            return half / 2 * (1 + _UNIT), bound / 2 * (1 + _UNIT)
        share = half * square.beta_lower(half, b, regularized=1)
        height = spherical_constant(self.d) * (1 - square) ** b / (self.d - 2)
        return share, height
