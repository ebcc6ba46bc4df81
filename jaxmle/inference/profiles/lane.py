"""The search for one end of a profile, as a state machine.

An end is where the log-density, maximised over everything else, has fallen by ``drop`` while a quantity c moved one
way. A lane walks the ridge (:mod:`jaxmle.inference.profiles.ridge`) with steps that go to it and along it at once, as
Venzon and Moolgavkar (1988) do. How far along is read off the root of twice the drop, which is nearly linear in c: a
cubic through the last two points of the ridge, kept between what is known to lie inside and outside. Most evaluations
are a value and a gradient: the curvature at the fit is carried along by secant updates, and taken anew where its
predictions fail.
"""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import linalg
from jaxmle.core.evaluation import Evaluation
from jaxmle.inference.profiles import outcome
from jaxmle.inference.profiles.ridge import Ridge
from jaxmle.inference.profiles.targets import Profiled

_TRUSTED = 0.1  # below this part of the drop the gain across is taken from the model
_OFF, _POOR = 0.5, 0.1  # off its prediction by these parts of it, a value is refused, or the curvature taken anew
_GROWTH = 2.0
_WILD = 10.0  # times its size: where a number was thrown so far, what is not finite says nothing of the quantity
_FLAT = 1e-4  # a slope at which as long a way again changes the log-density by this part of the drop is none
_LEVEL_OFF = 1e-6


class Aim(eqx.Module):
    """What all lanes have in common: where they begin, and how far the log-density is to fall. ``to_level``: each goes
    to its own level of the quantity instead, and ``drop`` only says which differences count."""

    fit: Float[Array, " m"]
    start: Evaluation
    left: Float[Array, ""]  # the log-density still to be gained there
    drop: Float[Array, ""]
    ran_away: Bool[Array, ""]  # that there is no maximum: the fit diverges, or is at a boundary
    to_level: bool = eqx.field(static=True)

    @property
    def noise(self):
        """The rounding error of the log-density."""
        return 4.0 * jnp.finfo(self.fit.dtype).eps * self.start.magnitude

    @property
    def much(self):
        """How much higher than the fit is higher."""
        return jnp.maximum(jnp.finfo(self.fit.dtype).eps ** (1 / 3), 4.0 * self.noise)

    def little(self):
        """An excess and a gain so small that the step they ask for leaves nothing worth another evaluation."""
        eps = jnp.finfo(self.fit.dtype).eps
        return jnp.maximum(eps**0.25, self.noise), jnp.maximum(eps**0.45, self.noise)


class Sight(eqx.Module):
    """A point of the profile: the quantity, its height, the root of twice the drop, the slope of c in that root."""

    at: Float[Array, ""]
    height: Float[Array, ""]
    root: Float[Array, ""]
    rate: Float[Array, ""]

    def is_steady(self):
        """Whether the profile falls outward here."""
        return (self.rate > 0) & jnp.isfinite(self.rate)


class Lane(eqx.Module):
    """Where the search for one end stands."""

    # What is asked for: the point, the value and the quantity expected there, whether it goes along the ridge at all
    z: Float[Array, " m"]
    step: Float[Array, " m"]
    expected: Float[Array, ""]
    to: Float[Array, ""]
    onward: Bool[Array, ""]
    refresh: Bool[Array, ""]  # stay, and take the curvature anew

    # Changes when a step is accepted
    best: Float[Array, " m"]
    value: Float[Array, ""]
    gradient: Float[Array, " m"]
    curvature: Float[Array, "m m"]
    exact: Bool[Array, ""]
    before: Sight
    last: Sight
    scale: Float[Array, " m"]

    # What is known: where the ridge is above the target, where it is not, where there are no numbers
    inside: Float[Array, ""]
    outside: Float[Array, ""]
    broken: Float[Array, ""]
    rising: Bool[Array, ""]
    reach: Float[Array, ""]
    radius: Float[Array, ""]

    # How it ends
    end: Float[Array, ""]
    fallen: Float[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]

    # Never changes
    peak: Float[Array, ""]
    origin: Float[Array, ""]
    unit: Float[Array, ""]


def first(aim: Aim, target: Profiled, functions: Callable | None, status) -> Lane:
    """The lane at the fit; ``status`` other than searching leaves it there."""
    z, start = aim.fit, aim.start
    zero, no = jnp.zeros((), z.dtype), jnp.zeros((), bool)
    diagonal = jnp.sqrt(jnp.abs(jnp.diagonal(start.curvature)))
    diagonal = jnp.where(aim.ran_away, jnp.maximum(diagonal, 1.0 / (1.0 + jnp.abs(z))), diagonal)
    now, normal, _ = target.seen(functions, z)
    verdict = jnp.where(~jnp.any(normal != 0), outcome.CONSTANT, outcome.SEARCHING)
    verdict = jnp.where(~(aim.left <= aim.much), outcome.HIGHER, verdict)
    nowhere = Sight(now, start.value, zero, zero)
    return Lane(
        z=z,
        step=jnp.zeros_like(z),
        expected=start.value,
        to=now,
        onward=no,
        refresh=no,
        best=z,
        value=start.value,
        gradient=start.gradient,
        curvature=start.curvature,
        exact=~no,
        before=nowhere,
        last=nowhere,
        scale=jnp.where(diagonal > 0, diagonal, 1.0),
        inside=now,
        outside=jnp.full_like(zero, jnp.inf),
        broken=jnp.full_like(zero, jnp.inf),
        rising=no,
        reach=jnp.full_like(zero, jnp.inf),
        radius=_widest(z.dtype),
        end=jnp.full_like(zero, jnp.nan),
        fallen=jnp.full_like(zero, jnp.nan),
        steps=jnp.zeros((), int),
        status=jnp.where(status == outcome.SEARCHING, verdict, status),
        peak=start.value + jnp.where(jnp.isfinite(aim.left), aim.left, 0.0),
        origin=now,
        unit=zero,
    )


def choose(aim: Aim, target: Profiled, functions: Callable | None, lane: Lane) -> Lane:
    """The lane with its verdict on where it stands, or the point that it asks for next."""
    ridge, sight = _look(aim, target, functions, lane)
    start = lane.steps == 0
    wanted = jnp.sqrt(2.0 * aim.drop)
    nearer = jnp.minimum(wanted * sight.rate, _far(sight))
    top = dataclasses.replace(sight, height=lane.peak, root=jnp.zeros_like(sight.root))
    slow = ~(ridge.gain <= jnp.maximum(0.02 * aim.drop, aim.little()[1]))
    lane = dataclasses.replace(
        lane,
        unit=jnp.where(start, jnp.where(aim.ran_away, nearer, wanted * sight.rate), lane.unit),
        before=jax.tree.map(lambda a, b: jnp.where(start, a, b), top, lane.before),
        last=sight,
        refresh=~lane.exact & (lane.refresh | slow),
    )
    return _onwards(aim, target, lane, ridge, sight)


def hear(aim: Aim, target: Profiled, functions: Callable | None, lane: Lane, evaluation: Evaluation) -> Lane:
    """The lane after it was told the ``evaluation`` at ``lane.z``; the curvature counts where it asked for it."""
    finite = evaluation.is_finite()
    astray = jnp.zeros((), bool) if functions is None else _astray(lane, target.seen(functions, lane.z)[0])
    anew, moved = _refreshed(lane, evaluation, finite), _judged(aim, lane, evaluation, finite, astray)
    lane = jax.tree.map(lambda a, b: jnp.where(lane.refresh, a, b), anew, moved)
    return dataclasses.replace(lane, steps=lane.steps + 1)


def _refreshed(lane, evaluation, finite) -> Lane:
    curvature = jnp.where(finite, evaluation.curvature, lane.curvature)
    scale = jnp.maximum(lane.scale, jnp.sqrt(jnp.abs(jnp.diagonal(curvature))))
    yes = jnp.ones((), bool)
    status = jnp.where(finite, lane.status, outcome.STUCK)
    return dataclasses.replace(lane, curvature=curvature, scale=scale, exact=yes, refresh=~yes, status=status)


def _astray(lane, landed):
    """Whether a step along the ridge of a curved quantity ``landed`` short of half the way that it was to bring."""
    wanted = lane.to - lane.last.at
    rounding = 8.0 * jnp.finfo(landed.dtype).eps * jnp.abs(landed) + 1e-10 * lane.unit
    return lane.onward & ~(jnp.sign(wanted) * (landed - lane.last.at - 0.5 * wanted) >= -rounding)


def _judged(aim, lane, evaluation, finite, astray) -> Lane:
    """The lane on the point it asked for where what was found there is near what was expected, else with shorter
    steps."""
    error, change = evaluation.value - lane.expected, lane.expected - lane.value
    allowed = jnp.maximum(aim.drop, jnp.abs(change))
    climbs = error >= -(1.0 - 1e-4) * change
    blind = (jnp.abs(change) <= aim.noise) & (error >= -2.0 * aim.noise)
    accept = finite & ~astray & jnp.where(lane.onward, error >= -_OFF * allowed, climbs | blind)
    lane = dataclasses.replace(lane, refresh=~accept | (jnp.abs(error) > _POOR * allowed))
    higher = accept & (evaluation.value - lane.peak > aim.much)
    lane = dataclasses.replace(lane, status=jnp.where(higher, outcome.HIGHER, lane.status))
    return jax.tree.map(
        lambda moved, kept: jnp.where(accept, moved, kept), _moved(lane, evaluation), _kept(lane, evaluation, finite)
    )


def _moved(lane, evaluation) -> Lane:
    """The lane on the point it asked for, with the curvature brought into line with the gradient there."""
    curvature = _secant(lane, evaluation.gradient)
    length = jnp.linalg.norm(lane.scale * lane.step)
    return dataclasses.replace(
        lane,
        best=lane.z,
        value=evaluation.value,
        gradient=evaluation.gradient,
        curvature=curvature,
        exact=jnp.zeros((), bool),
        before=lane.last,
        scale=jnp.maximum(lane.scale, jnp.sqrt(jnp.abs(jnp.diagonal(curvature)))),
        reach=_GROWTH * lane.reach,
        radius=jnp.maximum(_GROWTH * length, jnp.where(lane.steps == 0, 0.0, lane.radius / _GROWTH)),
    )


def _kept(lane, evaluation, finite) -> Lane:
    """The lane where it was, to try a shorter step."""
    fell = jnp.where(finite, lane.value - evaluation.value, 0.0)
    guess = jnp.sqrt(jnp.abs(lane.expected - lane.value) / jnp.where(fell > 0, fell, 1.0))
    factor = jnp.where(fell > 0, jnp.clip(guess, 0.02, 0.5), 0.25)
    wild = jnp.any(jnp.abs(lane.step) > _WILD * (1.0 + jnp.abs(lane.best)))
    return dataclasses.replace(
        lane,
        reach=jnp.where(lane.onward, factor * jnp.abs(lane.to - lane.last.at), lane.reach),
        radius=factor * jnp.linalg.norm(lane.scale * lane.step),
        broken=jnp.where(finite | wild | ~lane.onward, lane.broken, jnp.minimum(lane.broken, lane.to)),
    )


def _secant(lane, gradient):
    """The symmetric update after which the curvature times the step is the change of the gradient (Greenstadt 1970),
    the least one in the metric of the curvature itself."""
    image = lane.curvature @ lane.step
    length = jnp.dot(image, lane.step)
    safe = jnp.where(length > 0, length, 1.0)
    missing = lane.gradient - gradient - image
    share = (missing - 0.5 * (jnp.dot(missing, lane.step) / safe) * image) / safe
    updated = lane.curvature + share[:, None] * image[None, :] + image[:, None] * share[None, :]
    return jnp.where(length > 0, updated, lane.curvature)


def _look(aim, target, functions, lane) -> tuple[Ridge, Sight]:
    """The ridge from where the lane stands, and the point of the profile that it tells of."""
    now, normal, warp = target.seen(functions, lane.best)
    noise = jnp.finfo(now.dtype).eps * jnp.sqrt(1.0 + aim.start.magnitude)
    ridge = Ridge.seen(lane.gradient, lane.curvature, normal, warp, lane.scale, lane.radius, noise)
    height = lane.value + jnp.where(jnp.isfinite(ridge.gain), ridge.gain, 0.0)
    root = jnp.sqrt(2.0 * jnp.maximum(lane.peak - height, 0.0))
    threshold = linalg.null_threshold(now.size, now.dtype)
    at_top = ridge.length / jnp.sqrt(jnp.maximum(ridge.bend, threshold))
    falls = ridge.slope < 0
    below = -root * ridge.length / jnp.where(falls, ridge.slope, 1.0)
    rate = jnp.where(root < 0.1 * jnp.sqrt(aim.drop), at_top, jnp.where(falls, below, jnp.nan))
    return ridge, Sight(now, height, root, rate)


def _onwards(aim, target, lane, ridge, sight) -> Lane:
    """The lane with what is now known, its verdict, and the point it asks for next."""
    excess = sight.height - (lane.peak - aim.drop)
    trusted = ridge.whole & (ridge.gain <= _TRUSTED * aim.drop)
    certain = trusted & (ridge.gain <= 0.5 * jnp.abs(excess))
    above = (lane.value >= lane.peak - aim.drop) | (certain & (excess > 0))
    climb = ridge.slope * (sight.at - lane.origin) / ridge.length
    lane = dataclasses.replace(
        lane,
        inside=jnp.where(above, jnp.maximum(lane.inside, sight.at), lane.inside),
        outside=jnp.where(certain & (excess < 0), jnp.minimum(lane.outside, sight.at), lane.outside),
        rising=lane.rising | (trusted & (ridge.gain <= 1e-3 * aim.drop) & (climb > 1e-2 * aim.drop)),
    )
    to = target.level * target.sign if aim.to_level else _crossing(aim, lane, sight, excess)
    change = jnp.where(trusted, jnp.clip(to - sight.at, -lane.reach, lane.reach), 0.0)
    along = change / ridge.length
    size = jnp.linalg.norm(ridge.across + along * ridge.drift)
    along = along * jnp.where(size > lane.radius, lane.radius / size, 1.0)
    status = _verdict(aim, lane, ridge, sight, excess, trusted, to, along * ridge.length)
    step = ridge.step(along)
    goes_on = status == outcome.SEARCHING
    stays = lane.refresh & goes_on
    return dataclasses.replace(
        lane,
        z=jnp.where(stays | ~goes_on, lane.best, lane.best + step),
        step=step,
        expected=lane.value + ridge.change(along),
        to=sight.at + along * ridge.length,
        onward=along != 0,
        end=jnp.where(status == outcome.AT_EDGE, lane.inside, jnp.where(status == outcome.ENDLESS, jnp.inf, to)),
        fallen=lane.peak - (lane.value + ridge.change((to - sight.at) / ridge.length)),
        status=status,
    )


def _crossing(aim, lane, sight, excess):
    """Where the profile is thought to cross the target."""
    wanted = jnp.sqrt(2.0 * aim.drop)
    steady = sight.is_steady()
    tangent = sight.at + sight.rate * (wanted - sight.root)
    before, width = lane.before, sight.root - lane.before.root
    far = jnp.abs(width) > 1e-3 * wanted
    t = (wanted - before.root) / jnp.where(far, width, 1.0)
    cubic = (
        (1.0 + 2.0 * t) * (1.0 - t) ** 2 * before.at
        + t * (1.0 - t) ** 2 * width * before.rate
        + t**2 * (3.0 - 2.0 * t) * sight.at
        + t**2 * (t - 1.0) * width * sight.rate
    )
    near = far & steady & before.is_steady() & (t > 0.5) & (t < 1.5)
    farthest = lane.origin + jnp.maximum(_GROWTH * (sight.at - lane.origin), lane.unit)
    to = jnp.where(near, cubic, jnp.where(steady, tangent, jnp.where(excess > 0, farthest, lane.inside)))
    to = jnp.clip(to, lane.inside, farthest)
    middle = 0.5 * (lane.inside + lane.outside)
    to = jnp.where((to >= lane.outside) | (~steady & jnp.isfinite(lane.outside)), middle, to)
    return jnp.where(to >= lane.broken, 0.5 * (lane.inside + lane.broken), to)


def _verdict(aim, lane, ridge, sight, excess, trusted, to, change):
    """How the search has ended, or that it goes on."""
    little_excess, little_gain = aim.little()
    there = trusted & (ridge.gain <= little_gain)
    if aim.to_level:
        off = jnp.abs(ridge.slope * (to - sight.at) / ridge.length)
        there = there & (off <= little_excess) & (jnp.abs(to - sight.at) <= _LEVEL_OFF * lane.unit)
    else:
        there = there & (jnp.abs(excess) <= little_excess) & sight.is_steady()
    way, usual = sight.at - lane.origin, jnp.minimum(lane.unit, _far(sight))
    flat = jnp.abs(ridge.slope) * way <= _FLAT * aim.drop * ridge.length
    endless = trusted & (excess > 0) & (way >= 0.99 * lane.unit) & (way > 0) & flat & (not aim.to_level)
    edge = trusted & (excess > 0) & (lane.broken - lane.inside <= 1e-7 * jnp.maximum(way, 1e-3 * usual))
    shortest = 1e-9 * jnp.maximum(usual, jnp.abs(way))
    idle = trusted & (ridge.gain <= little_gain)  # nothing to do across, so what is not there must move along
    cramped = lane.radius < 1e-9 * jnp.maximum(1.0, jnp.abs(way) / lane.unit)
    stuck = lane.exact & jnp.where(idle, (jnp.abs(change) < shortest) & ~there, cramped)
    found = jnp.where(aim.noise > jnp.finfo(sight.at.dtype).eps ** 0.25, outcome.AT_ROUNDING, outcome.FOUND)
    found = jnp.where(lane.rising & (not aim.to_level), outcome.RISING, found)
    ended = jnp.select(
        [there, endless, edge, stuck], [found, outcome.ENDLESS, outcome.AT_EDGE, outcome.STUCK], outcome.SEARCHING
    )
    return jnp.where(lane.status == outcome.SEARCHING, ended, lane.status)


def _far(sight):
    """A long way for the quantity, where nothing curves to tell of one."""
    return _GROWTH * (1.0 + jnp.abs(sight.at))


def _widest(dtype):
    return jnp.full((), jnp.finfo(dtype).max ** 0.25, dtype)
