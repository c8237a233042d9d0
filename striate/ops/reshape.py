"""Words that move values without changing them (and the mean and resampling over whole axes)."""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.word import Op, choice, flag, integer, real, require, word


def _axes(argument: str, value: object) -> tuple[int, ...]:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(integer(argument, entry, -8) for entry in values)


@word
@dataclass(frozen=True)
class Flatten(Op):
    """Axes ``start_dim`` to ``end_dim`` become one."""

    start_dim: int = 1
    end_dim: int = -1

    def __post_init__(self) -> None:
        for argument in ("start_dim", "end_dim"):
            object.__setattr__(self, argument, integer(argument, getattr(self, argument), -8))


@word
@dataclass(frozen=True)
class Reshape(Op):
    """The same values in another shape. The batch (axis 0) is kept; ``shape`` is the rest, one may be -1."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = tuple(integer("shape", size, -1) for size in self.shape)
        require(
            sizes.count(-1) <= 1, "shape", "leave at most one size open (-1)", sizes, "write the others out"
        )
        object.__setattr__(self, "shape", sizes)


@word
@dataclass(frozen=True)
class Permute(Op):
    """Axes in another order: output axis i is input axis ``dims[i]``."""

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        dims = _axes("dims", self.dims)
        rank = len(dims)
        positive = tuple(dim % rank for dim in dims) if rank else dims
        require(sorted(positive) == list(range(rank)), "dims", "name every axis once", dims, "list all axes")
        object.__setattr__(self, "dims", positive)


@word
@dataclass(frozen=True)
class Mean(Op):
    """The mean over axes ``dim``; over (2, 3): global average pooling, Lin et al. 2013, arXiv 1312.4400."""

    dim: tuple[int, ...]
    keepdim: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", _axes("dim", self.dim))
        flag("keepdim", self.keepdim)


@word
@dataclass(frozen=True)
class Sum(Op):
    """The sum over axes ``dim``."""

    dim: tuple[int, ...]
    keepdim: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", _axes("dim", self.dim))
        flag("keepdim", self.keepdim)


@word
@dataclass(frozen=True)
class Slice(Op):
    """Entries start, start + step, ... before ``end`` (None: all) of axis ``dim``. A split is several."""

    dim: int
    start: int = 0
    end: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, -8))
        object.__setattr__(self, "start", integer("start", self.start, -(2**62)))
        object.__setattr__(self, "step", integer("step", self.step))
        if self.end is not None:
            object.__setattr__(self, "end", integer("end", self.end, -(2**62)))


@word
@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Channels (groups, C/groups) transposed. ShuffleNet, Zhang et al. 2017, arXiv 1707.01083, figure 1."""

    groups: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", integer("groups", self.groups))


@word
@dataclass(frozen=True)
class Upsample(Op):
    """Enlarge the spatial axes to ``size``, or by ``scale_factor`` (floor of the product): nn.Upsample.

    ``mode``: "nearest", "linear" (1-d), "bilinear" (2-d). ``align_corners`` lays the corner pixels' centres
    on each other instead of the pictures' edges.
    """

    size: tuple[int, ...] | None = None
    scale_factor: tuple[float, ...] | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        choice("mode", self.mode, ("nearest", "linear", "bilinear"))
        flag("align_corners", self.align_corners)
        one = (self.size is None) != (self.scale_factor is None)
        require(one, "size", "be given, or scale_factor, not both", self.size, "give one of the two")
        if self.size is not None:
            sizes = self.size if isinstance(self.size, (tuple, list)) else (self.size,)
            object.__setattr__(self, "size", tuple(integer("size", size) for size in sizes))
        if self.scale_factor is not None:
            given = self.scale_factor
            factors = given if isinstance(given, (tuple, list)) else (given,)
            checked = tuple(real("scale_factor", factor, lambda f: f > 0, "over 0") for factor in factors)
            object.__setattr__(self, "scale_factor", checked)
