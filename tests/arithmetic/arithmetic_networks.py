"""Networks written by hand as words, for tests: a chain, and the residual networks of torchvision."""

from striate import ops
from striate.graph import Graph, Node


class Writer:
    """Writes a graph one word after the other; each word reads the last one unless told otherwise."""

    def __init__(self, *shape):
        self.shape, self.nodes, self.last = shape, [], "x"

    def add(self, op, *inputs, name=None, tensors=None):
        name = name or f"{type(op).__name__.lower()}{len(self.nodes)}"
        weights = tensors or {role: f"{name}.{role}" for role in op.roles}
        if op.arity != 0:
            inputs = inputs or (self.last,)
        self.nodes.append(Node(name, op, inputs, weights))
        self.last = name
        return name

    def graph(self, *outputs):
        return Graph({"x": self.shape}, tuple(self.nodes), outputs or (self.last,))


def chain(shape, *words):
    writer = Writer(*shape)
    for word in words:
        writer.add(word)
    return writer.graph()


def lenet5(size=32, padding=0):
    """The common form: 6-16 convolutions of 5x5, 400-120-84-10."""
    return chain(
        ("N", 1, size, size),
        ops.Conv2d(1, 6, 5, padding=padding),
        ops.Tanh(),
        ops.AvgPool2d(2),
        ops.Conv2d(6, 16, 5),
        ops.Tanh(),
        ops.AvgPool2d(2),
        ops.Flatten(),
        ops.Linear(400, 120),
        ops.Tanh(),
        ops.Linear(120, 84),
        ops.Tanh(),
        ops.Linear(84, 10),
    )


def alexnet():
    """torchvision's, 2014 ("One weird trick", arXiv 1404.5997)."""
    relu, pool = ops.ReLU(), ops.MaxPool2d(3, 2)
    return chain(
        ("N", 3, 224, 224),
        *(ops.Conv2d(3, 64, 11, 4, 2), relu, pool, ops.Conv2d(64, 192, 5, padding=2), relu, pool),
        *(ops.Conv2d(192, 384, 3, padding=1), relu, ops.Conv2d(384, 256, 3, padding=1), relu),
        *(ops.Conv2d(256, 256, 3, padding=1), relu, pool),
        *(ops.AdaptiveAvgPool2d(6), ops.Flatten(), ops.Dropout(), ops.Linear(9216, 4096), relu),
        *(ops.Dropout(), ops.Linear(4096, 4096), relu, ops.Linear(4096, 1000)),
    )


def vgg16():
    words, channels = [], 3
    for width, convolutions in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(convolutions):
            words += [ops.Conv2d(channels, width, 3, padding=1), ops.ReLU()]
            channels = width
        words.append(ops.MaxPool2d(2))
    head = [ops.Flatten(), ops.Linear(25088, 4096), ops.ReLU(), ops.Linear(4096, 4096), ops.ReLU()]
    return chain(("N", 3, 224, 224), *words, *head, ops.Linear(4096, 1000))


def mobilenet_v1():
    """Features only; arXiv 1704.04861, table 1."""
    words, channels = [ops.Conv2d(3, 32, 3, 2, 1, bias=False), ops.BatchNorm(32), ops.ReLU()], 32
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for width, stride in plan:
        words += [ops.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False), ops.ReLU()]
        words += [ops.Conv2d(channels, width, 1, bias=False), ops.ReLU()]
        channels = width
    return chain(("N", 3, 224, 224), *words)


def resnet(depths, bottleneck, stride_in_last_unit=False):
    """torchvision's ResNet v1.5; or, as in TF-slim, with the stride in the last unit of a stage."""
    w = Writer("N", 3, 224, 224)
    w.add(ops.Conv2d(3, 64, 7, 2, 3, bias=False))
    w.add(ops.BatchNorm(64))
    w.add(ops.MaxPool2d(3, 2, 1))
    channels = 64
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        for unit in range(depth):
            at = depth - 1 if stride_in_last_unit else 0
            down = stage < 3 if stride_in_last_unit else stage > 0
            channels = _unit(w, channels, width, 2 if unit == at and down else 1, bottleneck)
    w.last = w.add(ops.ReLU(), name="features")
    w.add(ops.AdaptiveAvgPool2d(1), name="pool")
    w.add(ops.Flatten())
    w.add(ops.Linear(channels, 1000), name="fc")
    return w.graph()


def _unit(w, channels, width, stride, bottleneck):
    shortcut, out = w.last, width * 4 if bottleneck else width
    kernels = [(3, stride, out), (3, 1, out)]
    if bottleneck:
        kernels = [(1, 1, width), (3, stride, width), (1, 1, out)]
    before = channels
    for kernel, step, after in kernels:
        w.add(ops.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
        w.add(ops.BatchNorm(after))
        before = after
    end = w.last
    if stride > 1 or channels != out:
        w.add(ops.Conv2d(channels, out, 1, stride, bias=False), shortcut)
        shortcut = w.add(ops.BatchNorm(out))
    w.add(ops.Add(), end, shortcut)
    return out
