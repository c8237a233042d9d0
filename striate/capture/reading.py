"""From the program that torch.export wrote to a sketch of words, one operation after the other."""

from __future__ import annotations

import operator
import re
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from striate.capture.aliases import Aliases
from striate.capture.call import Call, Fixed, refusal
from striate.capture.fixed import as_array, computed, is_fixed
from striate.capture.places import Places
from striate.capture.registry import reader_of
from striate.errors import ArgumentError
from striate.graph import Shape
from striate.ops import Constant
from striate.sketch import Draft, Sketch, Weight

Env: TypeAlias = dict[fx.Node, Any]

SYMBOL = re.compile(r"[su]\d+")
STALE = "it reads a tensor that another operation has written to in place through a view; avoid inplace there"


class Reading:
    """Reads one exported program. ``read`` gives the sketch."""

    def __init__(self, module: nn.Module, program: ExportedProgram) -> None:
        self.sketch = Sketch()
        self._program = program
        self._names, self._tensors = _own_tensors(module, program)
        self._places = Places(module)
        self._aliases = Aliases()
        self._env: Env = {}
        self._arrays: dict[int, tuple[Tensor, np.ndarray]] = {}
        specs = program.graph_signature.input_specs
        self._specs = {getattr(spec.arg, "name", ""): spec for spec in specs}
        self._symbols: dict[str, str] = {}
        self._live = _live(program.graph)

    def read(self) -> Sketch:
        """The sketch of the whole program."""

        for node in self._program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "call_function":
                stale = self._aliases.follow(node)
                if self.is_live(node) and isinstance(node.meta.get("val"), (Tensor, list, tuple)):
                    if stale:
                        raise refusal(str(node.target), self._places.of(node), STALE)
                    self._env[node] = self._operation(node)
        self.sketch.outputs = self._outputs()
        return self.sketch

    # --- the parts of a program -----------------------------------------------------------------------

    def _placeholder(self, node: fx.Node) -> None:
        spec = self._specs[node.name]
        if spec.kind == InputKind.USER_INPUT:
            value = node.meta.get("val")
            if not isinstance(value, Tensor):
                return  # a None or a number; whoever reads it is refused
            if value.ndim and SYMBOL.fullmatch(str(value.shape[0])):
                count = len(self._symbols)
                self._symbols.setdefault(str(value.shape[0]), f"N{count + 1}" if count else "N")
            self._env[node] = node.name
            self.sketch.inputs[node.name] = self.sketch.shapes[node.name] = self.shape_of(value)
        elif spec.target in self._tensors:
            self._env[node] = Fixed(self._names[spec.target], self._tensors[spec.target])

    def _operation(self, node: fx.Node) -> Any:
        if node.target is operator.getitem:
            return self._env[node.args[0]][node.args[1]]  # type: ignore[index]
        place = self._places.of(node)
        operation = str(node.target)
        if not isinstance(node.target, torch._ops.OpOverload):
            raise refusal(operation, place, "control flow is not part of a graph of words")
        if all(is_fixed(self._env.get(source)) for source in node.all_input_nodes):
            return computed(node, place, self.resolve)
        reader = reader_of(operation)
        if reader is None:
            reason = "striate has no word for it; replace it, or capture the part before it"
            raise refusal(operation, place, reason)
        try:
            return reader(Call(self, node, place))
        except ArgumentError as fault:
            raise refusal(operation, place, str(fault).rstrip(".")) from fault

    def _outputs(self) -> tuple[str, ...]:
        """User outputs in order; None is left out, a fixed tensor becomes a Constant."""
        output = next(iter(self._program.graph.find_nodes(op="output")))
        if self._aliases.follow(output):
            raise refusal("the output", self._places.of(output), STALE)
        nodes = output.args[0]
        values: list[str] = []
        for spec, node in zip(self._program.graph_signature.output_specs, nodes, strict=True):
            if spec.kind != OutputKind.USER_OUTPUT or not isinstance(node, fx.Node):
                continue
            value = self._env[node]
            if isinstance(value, Fixed):
                weight = Weight(value.name, self.array(value.tensor))
                draft = Draft(Constant(value.shape), (), {"value": weight}, self._places.of(node))
                value = self.sketch.add(draft, value.shape)
            values.append(value)
        return tuple(values)

    # --- values ---------------------------------------------------------------------------------------

    def resolve(self, argument: Any) -> Any:
        """An fx argument with nodes replaced by what they are: Value, list of Value or symbolic size."""
        if isinstance(argument, fx.Node):
            return self._env.get(argument, argument.meta.get("val"))
        if isinstance(argument, (list, tuple)):
            return [self.resolve(entry) for entry in argument]
        return argument

    def is_live(self, node: fx.Node) -> bool:
        """Whether an output depends on the node."""
        return node in self._live

    def shape_of(self, value: Any) -> Shape:
        """Sizes of a traced tensor, the batch as "N" and what is computed from it as text, "4*N"."""
        tensor = value if isinstance(value, Tensor) else value[0]
        return tuple(self._size(size) for size in tensor.shape)

    def _size(self, size: int | torch.SymInt) -> int | str:
        """Export leaves a size that turned out to be fixed as a symbol that reads "2"."""
        text = str(size)
        if text.isdigit():
            return int(text)
        return SYMBOL.sub(lambda match: self._symbols.get(match.group(), match.group()), text)

    def array(self, tensor: Tensor) -> np.ndarray:
        """Its NumPy copy, made once."""
        if id(tensor) not in self._arrays:
            self._arrays[id(tensor)] = (
                tensor,
                as_array(tensor),
            )  # the tensor too, so that its id stays its own
        return self._arrays[id(tensor)][1]


def _own_tensors(
    module: nn.Module, program: ExportedProgram
) -> tuple[dict[str, str | None], dict[str, Tensor]]:
    """Names and tensors behind the program's lifted inputs. Tied tensors get the name that comes first."""
    tensors: dict[str, Tensor] = {}
    names: dict[str, str | None] = {}
    first: dict[int, str] = {}
    own = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, tensor in own:
        tensors[name] = tensor
        names[name] = first.setdefault(id(tensor), name)
    for name, constant in program.constants.items():
        if isinstance(constant, Tensor) and name not in tensors:
            tensors[name], names[name] = constant, None
    return names, tensors


def _live(graph: fx.Graph) -> set[fx.Node]:
    """The nodes that an output depends on: counters and statistics that nobody reads are left out."""
    live: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or node in live:
            live.update(node.all_input_nodes)
    return live
