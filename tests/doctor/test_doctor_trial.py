"""The doctor on networks with one mistake each: the layer, what it received, the line that mends it.

What is printed to be pasted is pasted: the mended file is run on the same input.
"""

import ast
import inspect
import linecache
import types

import patients
import pytest
import torch
from torch import nn

from striate import api
from striate.doctor.constructor import constructor
from striate.doctor.diagnosis import diagnose
from striate.doctor.source import find
from striate.doctor.trial import rerun, run_module

SIZE = (2, 3, 8, 8)


def report_on(network, images, *, training=False):
    trace = run_module(network, images, training=training)
    return diagnose(type(network).__name__, trace, network, lambda sizes: rerun(network, sizes))


def finding_on(network, images, **mode):
    report = report_on(network, images, **mode)
    assert report is not None and not report.ok
    (finding,) = report.findings
    assert finding.source.startswith("tests/doctor/patients.py:") or "patients.py:" in finding.source
    return finding


def line_of(finding):
    source = inspect.getsource(patients).splitlines()
    return source[int(finding.source.rpartition(":")[2]) - 1].strip()


# class, input, layer, rule, sentence, mended line
MENDED = [
    ("WrongDense", (2, 3, 28, 28), "fc1", "dense-input",
     "receives 256 features: 16 channels x 4 x 4; it is made for 400.", "self.fc1 = nn.Linear(256, 120)"),
    ("NotFlattened", (2, 3, 9, 9), "fc", "not-flattened",
     "4 channels x 9 x 9 are 324 features", "self.fc = nn.Linear(324, 10)"),
    ("InSequential", SIZE, "features.2", "channel-mismatch",
     "receives 8 channels; it is made for 16.", "nn.Conv2d(8, 32, 3, padding=1),  # 8 arrive"),
    ("WrongBlock", SIZE, "two.conv", "channel-mismatch",
     "receives 8 channels; it is made for 16.", "self.two = Block(8, 32, stride=2)"),
    ("Depthwise", SIZE, "deep", "channel-mismatch",
     "it is made for 8 in 8 groups.", "self.deep = nn.Conv2d(6, 6, 3, groups=6)"),
    ("Grouped", SIZE, "conv", "channel-mismatch",
     "it is made for 8 in 4 groups.", "self.conv = nn.Conv2d(6, 8, 3, groups=2)"),
    ("LargeKernel", (2, 3, 32, 32), "conv", "kernel-too-large",
     "a window of 5x5 over a map of 2x2", "self.conv = nn.Conv2d(3, 8, 5, padding=2)"),
    ("LargePool", (2, 3, 32, 32), "pool", "kernel-too-large",
     "a window of 7x7 over a map of 4x4", "self.pool = nn.AvgPool2d(4)"),
    ("ConcatSizes", SIZE, "cat", "branches-differ",
     "(2, 8, 8, 8) from left and (2, 8, 6, 6) from right", "self.right = nn.Conv2d(3, 8, 3, padding=1)"),
    ("AddSizes", SIZE, "add", "branches-differ",
     "(2, 3, 8, 8) from the input and (2, 3, 4, 4) from body",
     "self.body = nn.Conv2d(3, 3, 3, stride=1, padding=1)"),
    ("WrongNorm", SIZE, "norm", "channel-mismatch",
     "receives 16 channels; it is made for 32.", "self.norm = nn.BatchNorm2d(16)"),
    ("NormRank", SIZE, "norm", "wrong-rank", "receives (2, 16, 6, 6)", "self.norm = nn.BatchNorm2d(16)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "size", "layer", "rule", "says", "line"), MENDED, ids=[m[0] for m in MENDED]
)
def test_the_mended_line_mends(name, size, layer, rule, says, line) -> None:
    images = torch.randn(size)
    finding = finding_on(getattr(patients, name)(), images)
    assert (finding.place, finding.rule) == (layer, rule)
    assert says in finding.message
    wrong, mended = finding.fix.splitlines()[:2]
    assert mended == f"write       {line}"
    assert wrong == f"instead of  {line_of(finding)}"

    trace = run_module(pasted(name, finding.fix, inspect.getsource(patients))[0](), images)
    assert trace.error is None or trace.failed.name != layer


def pasted(name, fix, source):
    """The class with the lines of ``fix`` pasted over those that it names, and the source then."""
    lines = source.splitlines()
    start = lines.index(f"class {name}(nn.Module):")
    if fix.startswith("write self."):  # a new layer, behind those that are built
        last = max(n for n, line in enumerate(lines) if n > start and line.startswith("        self."))
        built = next(n for n in range(start, last + 1) if "def forward" in lines[n]) - 1
        lines.insert(built, "        " + fix.splitlines()[0].removeprefix("write "))
    steps = [line[12:] for line in fix.splitlines() if line.startswith(("instead of  ", "write       "))]
    assert len(steps) % 2 == 0
    for wrong, mended in zip(steps[::2], steps[1::2], strict=True):
        row = next(n for n, line in enumerate(lines) if line.strip() == wrong and n > start)
        lines[row] = lines[row].replace(wrong, mended)
    text = "\n".join(lines) + "\n"
    linecache.cache["mended.py"] = (len(text), None, text.splitlines(keepends=True), "mended.py")
    again = types.ModuleType("mended")
    exec(compile(text, "mended.py", "exec"), again.__dict__)
    again.__file__ = "mended.py"
    return getattr(again, name), text


# class, input, layer, rule, code
CODE = [
    ("NotFlattened", SIZE, "fc", "not-flattened", "return self.fc(torch.flatten(self.conv(x), 1))"),
    ("FixedView", SIZE, "view", "view-does-not-fit", "write       x = torch.flatten(x, 1)"),
    ("FixedView", (50, 3, 8, 8), "view", "batch-cut-up", "and make the dense layer behind it for 256"),
    ("AddChannels", SIZE, "add", "branches-differ", "self.shortcut = nn.Conv2d(8, 16, 1, stride=2"),
    ("AddChannels", SIZE, "add", "branches-differ", "return self.body(x) + self.shortcut(x)"),
    ("FlattenTooEarly", SIZE, "conv", "wrong-rank", "move flat (tests/doctor/patients.py:"),
    ("WrongDense", (2, 32, 32, 3), "conv1", "channels-last", "(self.conv1(x.permute(0, 3, 1, 2)))"),
    ("WrongDense", (3, 32, 32), "fc1", "missing-batch-axis", "(self.conv1(x.unsqueeze(0)))"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "size", "layer", "rule", "code"), CODE, ids=[f"{c[0]}-{c[3]}" for c in CODE]
)
def test_code_to_paste(name, size, layer, rule, code, monkeypatch, request) -> None:
    monkeypatch.chdir(request.config.rootpath)
    finding = finding_on(getattr(patients, name)(), torch.randn(size))
    assert (finding.place, finding.rule) == (layer, rule)
    assert code in finding.fix


TYPES = [(torch.zeros(SIZE, dtype=dtype), "Fits") for dtype in (torch.uint8, torch.int64, torch.float64)]
FORWARD = [(torch.randn(size), name) for name, size, *_ in CODE if name != "FlattenTooEarly"] + TYPES


@pytest.mark.parametrize(
    ("images", "name"), FORWARD, ids=lambda given: given if isinstance(given, str) else None
)
def test_lines_of_the_forward_are_pasted_until_it_runs(images, name) -> None:
    """What needs a change in two places says the second when the first is made."""
    kind, text = getattr(patients, name), inspect.getsource(patients)
    for _ in range(3):
        report = report_on(kind(), images)
        if report is None:
            break
        kind, text = pasted(name, report.findings[0].fix, text)
    with torch.no_grad():
        assert len(kind()(images)) == (len(images) if images.ndim == 4 else 1)


@pytest.mark.parametrize(
    "line",
    [
        "return self.fc(*[x])",
        "return self.fc(self.fc(x))",
        "return (self.fc)(\n            x)",
        "f = self.fc; return f(x)",
    ],
)
def test_a_line_that_is_not_understood_is_left_alone(line, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(
        "from torch import nn\n\nclass Odd(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = nn.Linear(192, 192)\n\n    def forward(self, x):\n        {line}\n"
    )
    (finding,) = api.check("odd.py:Odd", "3x8x8").findings
    assert finding.rule == "not-flattened" and "write x = torch.flatten(x, 1)" in finding.fix


@pytest.mark.parametrize(
    ("images", "code"),
    [
        (torch.zeros(SIZE, dtype=torch.uint8), "x.float() / 255"),
        (torch.zeros(SIZE, dtype=torch.float64), "x.to(torch.float32)"),
        (torch.zeros(SIZE, dtype=torch.int64), "x.to(torch.float32)"),
    ],
)
def test_numbers_of_another_type(images, code) -> None:
    finding = finding_on(patients.Fits(), images)
    assert finding.rule == "wrong-type" and f"self.conv({code})" in finding.fix


def test_batch_norm_on_one_value_fails_while_training_and_not_in_use() -> None:
    network, image = patients.OneValue(), torch.randn(1, 3, 8, 8)
    assert report_on(network, image) is None
    finding = finding_on(network, image, training=True)
    assert finding.rule == "batch-norm-on-one-value"
    assert "drop_last=True" in finding.fix
    kind, _ = pasted("OneValue", finding.fix, inspect.getsource(patients))
    assert report_on(kind(), image, training=True) is None


def test_another_input_size_is_searched_for_and_fits() -> None:
    network = patients.WrongDense()
    assert "or use a 32x32 input" in finding_on(network, torch.randn(2, 3, 28, 28)).fix
    assert run_module(network, torch.randn(2, 3, 32, 32)).error is None
    assert "or use an 80x80 input" in finding_on(patients.LargeKernel(), torch.randn(2, 3, 32, 32)).fix
    assert run_module(patients.LargeKernel(), torch.randn(2, 3, 80, 80)).error is None
    assert run_module(patients.LargeKernel(), torch.randn(2, 3, 79, 79)).error is not None


def test_the_trace_shows_every_step_up_to_the_failing_one() -> None:
    report = report_on(patients.WrongDense(), torch.randn(2, 3, 28, 28))
    rows = [line.split() for line in report.heading.splitlines()[1:]]
    assert [row[0] for row in rows] == [
        "input", "conv1", "relu", "max_pool2d", "conv2", "relu", "max_pool2d", "flatten", "fc1",
    ]  # fmt: skip
    assert rows[-1][1:3] == ["Linear", "FAILS"]
    assert "(2, 256)" in report.heading


def test_a_run_leaves_the_module_as_it_was() -> None:
    network = patients.Fits()
    network.drop.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert run_module(network, torch.randn(SIZE, generator=torch.Generator()), training=True).error is None
    assert torch.rand(1) == expected
    assert network.training and not network.drop.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network._forward_hooks and not network.conv._forward_pre_hooks


def test_an_error_of_the_users_own_is_named_with_its_line() -> None:
    finding = finding_on(patients.Raises(), torch.randn(SIZE))
    assert finding.rule == "forward-fails"
    assert "KeyError" in finding.message and line_of(finding).startswith("raise KeyError")


def test_a_layer_built_where_no_source_is_known_still_gets_its_line() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(10, 2))
    report = report_on(network, torch.randn(2, 3, 4, 4))
    assert "write nn.Linear(48, 2)" in report.findings[0].fix
    named = {}
    exec("from torch import nn\nclass Typed(nn.Module):\n def __init__(s):\n  super().__init__()\n  "
         "s.fc = nn.Linear(9, 2)\n def forward(s, x):\n  return s.fc(x.flatten(1))", named)  # fmt: skip
    report = report_on(named["Typed"](), torch.randn(2, 3, 4, 4))
    assert "write nn.Linear(48, 2)" in report.findings[0].fix


def test_a_layer_that_is_called_twice_is_not_changed_under_the_first_call() -> None:
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x):
            return self.conv(self.conv(x))

    finding = report_on(Twice(), torch.randn(SIZE)).findings[0]
    assert finding.fix.startswith("build a layer of its own for this place: nn.Conv2d(8, 8, 3)")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(256, 120), nn.Linear(4, 2, bias=False), nn.Conv2d(6, 16, 5, padding=2),
        nn.Conv2d(6, 12, (3, 5), stride=2, groups=3, bias=False), nn.Conv1d(2, 4, 3, dilation=2),
        nn.BatchNorm2d(8), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.GroupNorm(2, 8), nn.PReLU(4),
        nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1),
    ],
    ids=str,
)  # fmt: skip
def test_a_printed_constructor_builds_the_same_layer(layer) -> None:
    from striate.doctor.constructor import positional

    kind = type(layer).__name__
    own = {name: getattr(layer, name) for name in positional(kind) if hasattr(layer, name)}
    own |= {"bias": own["bias"] is not None} if "bias" in own else {}
    call = constructor(kind, own)
    assert repr(eval(call, {"nn": nn})) == repr(layer)
    assert isinstance(ast.parse(call).body[0], ast.Expr)


def test_the_line_of_a_layer_is_found_through_its_callers() -> None:
    written, names = find(patients.WrongBlock(), "two.conv", ("in_channels",))
    assert written.text == "self.two = Block(16, 32, stride=2)" and names == {"in_channels": "into"}
    assert written.with_arguments(into=8, stride=1) == "self.two = Block(8, 32, stride=1)"
    assert written.with_arguments(bias=False) == "self.two = Block(16, 32, stride=2, bias=False)"


def test_a_module_that_cannot_be_built(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(inspect.getsource(patients))
    report = api.check("net.py:ImpossibleGroups", "3x8x8")
    (finding,) = report.findings
    assert finding.rule == "impossible-groups" and finding.source.startswith("net.py:")
    assert "4 groups must divide in_channels=6 and out_channels=8" in finding.message
    assert finding.fix.endswith("write       self.conv = nn.Conv2d(6, 8, 3, groups=2)")


def test_functions_are_seen_like_layers() -> None:
    class Functional(nn.Module):
        def __init__(self, into):
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(6, into, 3, 3))
            self.matrix = nn.Parameter(torch.randn(10, 54))

        def forward(self, x):
            x = nn.functional.conv2d(x, self.kernel, padding=1)
            return nn.functional.linear(x.flatten(1), self.matrix)

    finding = report_on(Functional(4), torch.randn(SIZE)).findings[0]
    assert finding.fix.startswith("its weight must be that of nn.Conv2d(3, 6, 3, padding=1)")
    finding = report_on(Functional(3), torch.randn(SIZE)).findings[0]
    assert "receives 384 features: 6 channels x 8 x 8; it is made for 54." in finding.message
    assert "or use a 3x3 input" in finding.fix


def test_a_pooling_function_with_too_large_a_window() -> None:
    class Pools(nn.Module):
        def forward(self, x):
            return nn.functional.max_pool2d(x, 9)

    finding = report_on(Pools(), torch.randn(SIZE)).findings[0]
    assert "a window of 9x9 over a map of 8x8" in finding.message
    assert finding.fix.startswith("write F.max_pool2d(x, 8)") and "or use a 9x9 input" in finding.fix
