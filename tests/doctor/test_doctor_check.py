"""``striate check`` on networks: reports, exit codes, pages, JSON, SARIF, the choice in pyproject.toml."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import patients
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from striate import api
from striate.cli import app
from striate.doctor import RULES, Choice
from striate.errors import ArgumentError, ShapeError, UnknownNameError
from striate.graph import Graph, Node
from striate.ops import Linear, Softmax


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(inspect.getsource(patients))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(app, ["check", *arguments], env={"COLUMNS": "200"})


def test_a_network_that_fails_is_an_error_and_exit_code_1(folder: Path) -> None:
    result = run("net.py:WrongDense", "--input", "3x28x28")
    assert result.exit_code == 1
    assert "fc1 (net.py:15): receives 256 features: 16 channels x 4 x 4" in result.output
    assert "write       self.fc1 = nn.Linear(256, 120)" in result.output


def test_a_network_that_runs_is_read_by_the_rules(folder: Path) -> None:
    result = run("net.py:Fits", "--input", "3x32x32")
    assert result.exit_code == 0
    line = next(
        n
        for n, text in enumerate(Path("net.py").read_text().splitlines(), 1)
        if "self.head(self.drop" in text
    )
    assert f"conv (net.py:{line}): norm takes the bias away again. [bias-before-batch-norm]" in result.output
    assert "striate check --rule" in result.output.splitlines()[-1]


def test_json_and_the_choice_in_pyproject(folder: Path) -> None:
    Path("pyproject.toml").write_text('[tool.striate.check]\nselect = ["normalisation"]\n')
    answer = json.loads(run("net.py:Fits", "--input", "3x32x32", "--json").output)
    assert answer["ok"] is True
    rules = {finding["rule"] for finding in answer["findings"]}
    assert rules == {"bias-before-batch-norm", "input-fits", "smallest-input"}
    Path("pyproject.toml").write_text('[tool.striate.check]\nignore = ["bias-before-batch-nor"]\n')
    with pytest.raises(UnknownNameError, match="did you mean bias-before-batch-norm"):
        api.check(patients.Fits(), "3x32x32")


def test_sarif_has_rules_levels_and_lines(folder: Path) -> None:
    run("net.py:Fits", "--input", "3x32x32", "--sarif", "found.sarif")
    log = json.loads(Path("found.sarif").read_text())
    assert log["version"] == "2.1.0" and "sarif-2.1.0" in log["$schema"]
    (sarif_run,) = log["runs"]
    rules = sarif_run["tool"]["driver"]["rules"]
    assert len(sarif_run["results"]) >= 3
    for result in sarif_run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note") and result["message"]["text"]
    bias = next(r for r in sarif_run["results"] if r["ruleId"] == "bias-before-batch-norm")
    place = bias["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "net.py"
    assert place["physicalLocation"]["region"]["startLine"] > 1
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "conv"
    described = next(r for r in rules if r["id"] == "bias-before-batch-norm")
    assert RULES["bias-before-batch-norm"].source in described["help"]["text"]


def test_a_failing_network_has_sarif_too(folder: Path) -> None:
    assert run("net.py:WrongDense", "--input", "3x28x28", "--sarif", "found.sarif").exit_code == 1
    (result,) = json.loads(Path("found.sarif").read_text())["runs"][0]["results"]
    assert result["level"] == "error" and "nn.Linear(256, 120)" in result["message"]["text"]


def test_pages_of_rules() -> None:
    assert RULES["checkerboard"].reason in run("--rule", "checkerboard").output
    assert json.loads(run("--rule", "checkerboard", "--json").output)["severity"] == "warning"
    assert len(run("--rule", "all").output.splitlines()) == len(RULES)
    assert isinstance(run("--rule", "checkerbord").exception, UnknownNameError)
    assert isinstance(run().exception, ArgumentError)


def test_help_says_that_the_file_is_executed() -> None:
    assert "executes the file" in run("--help").output


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("net.py", "class A: ...\nclass B: ...", "write net.py:B, or another of A."),
        ("net.py", "class (", r"which cannot be read \(invalid syntax"),
        ("net.py", "", "write net.py:CLASS."),
        ("net.safetensors", "", "the network's name and the file as --weights"),
    ],
)
def test_a_file_that_is_no_network_by_itself(tmp_path, monkeypatch, file, text, says) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_text(text)
    with pytest.raises(ArgumentError, match=says):
        api.check(file)


def test_a_module_that_ends_the_process_does_not(tmp_path, monkeypatch) -> None:
    class Ends(nn.Module):
        def forward(self, x):
            raise SystemExit(7)

    assert "SystemExit" in api.check(Ends(), "3x5x5").text()
    (tmp_path / "script.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(ArgumentError, match="must build without an error, got SystemExit: 3"):
        api.check(str(tmp_path / "script.py:Net"), "3x5x5")


def test_sarif_of_a_data_set_is_refused_in_one_sentence(tmp_path: Path) -> None:
    report = api.check("fashion-mini")
    with pytest.raises(ArgumentError, match="sarif must be asked of a network"):
        api.write_sarif(report, tmp_path / "x.sarif")


def test_tensors_may_be_given_and_their_statistics_count() -> None:
    images = torch.rand(4, 3, 16, 16)
    rules = Choice(frozenset({"input-not-normalised"}))
    assert "input-not-normalised" not in rules_of(api.check(patients.Fits(), images, rules=rules))
    assert "input-not-normalised" in rules_of(api.check(patients.Fits(), images * 255, rules=rules))
    assert "input-not-normalised" not in rules_of(api.check(patients.Fits(), "3x16x16", rules=rules))


def rules_of(report) -> set[str]:
    return {finding.rule for finding in report.findings}


def test_parameters_nobody_uses_and_weights_that_are_not_finite() -> None:
    network = patients.Fits()
    network.left_over = nn.Linear(3, 3)
    with torch.no_grad():
        network.head.weight[0, 0] = float("nan")
    report = api.check(network, "3x16x16")
    assert not report.ok
    found = {finding.rule: finding.place for finding in report.findings}
    assert found["unused-parameters"] == "left_over" and found["weights-not-finite"] == "head"


def test_a_network_of_operations_without_words_still_gets_its_trial() -> None:
    class Sorted(nn.Module):
        def forward(self, x):
            return x.sort(dim=1).values

    report = api.check(Sorted(), "3x8x8")
    assert report.ok and "the rules cannot look at it" in report.text()


def test_two_inputs_are_run() -> None:
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    same, other = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 5, 5)
    assert api.check(Two(), (same, same)).ok
    assert "their sizes differ" in api.check(Two(), (same, other)).text()


def test_errors_of_a_graph_and_of_the_catalogue() -> None:
    layers = (Node("fc", Linear(4, 3), ("x",), {"weight": "w", "bias": "b"}), Node("p", Softmax(0), ("fc",)))
    report = api.check(Graph({"x": ("N", 4)}, layers, ("p",)))
    assert not report.ok and report.findings[0].rule == "batch-axis-mixed"
    assert not api.check(Graph({"x": ("N", 5)}, layers, ("p",))).ok
    with pytest.raises(ShapeError, match="image_size must be at least"):
        api.check("lenet5", "1x4x4")


def test_a_clean_small_network_of_the_catalogue_has_no_error() -> None:
    report = api.check("lenet5")
    assert report.ok and {"dense-head", "fixed-input-size"} <= rules_of(report)


def test_the_rules_need_no_torch() -> None:
    code = "import sys, striate.doctor, striate.doctor.diagnosis; sys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_modules_of_unusual_kinds_are_answered() -> None:
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.LazyConv2d(8, 3)
            self.norm = nn.LazyBatchNorm2d()
            self.head = nn.Linear(9, 2)

        def forward(self, x):
            return self.head(self.norm(self.conv(x)).flatten(1))

    network = Lazy()
    report = api.check(network, "3x5x5")
    assert report.findings[0].fix.endswith("write       self.head = nn.Linear(72, 2)")
    assert network.conv.has_uninitialized_params()

    scripted = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)))
    assert "fails before its first layer" in api.check(scripted, "3x5x5").text()

    class Silent(nn.Module):
        def forward(self, x):
            return None

    assert "the rules cannot look at it" in api.check(Silent(), "3x5x5").text()


def test_lines_are_those_of_the_module_alone() -> None:
    report = api.check(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), "3x5x5")
    assert report.findings[0].source is None and "checking.py" not in report.heading
