"""The door: every verb has --help, at once and without torch; errors are one sentence and an exit code."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from striate.cli import app

VERBS = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]


def striate(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "striate", *arguments], input=stdin, capture_output=True, check=False
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "--json" in result.output
    assert len(result.output.strip().splitlines()) > 5


def test_help_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.argv = ['striate', 'train', '--help']\n"
        "from striate.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version() -> None:
    assert striate("--version").stdout.decode().startswith("striate 0.1.0")


WRONG = [
    (["train", "no/such/folder"], "no/such/folder"),
    (["train", "--model", "resnet81"], "resnet81"),
    (["train", "--epochs", "0"], "epochs must be"),
    (["train", "--image-size", "7by9"], "image_size must be"),
    (["train", "--resume", "no/such/run"], "does not exist"),
    (["predict", "no/such/run", "cat.jpg"], "does not exist"),
    (["evaluate", "no/such/run", "fashion-mini"], "does not exist"),
    (["report", "no/such/run"], "does not exist"),
    (["explain", "lenet6"], "lenet5"),
    (["explain", "lenet5", "--input", "huge"], "3x224x224"),
    (["explain", "net.onnx"], "ONNX"),
    (["models", "lenet6"], "lenet5"),
    (["check", "no/such/folder"], "no/such/folder"),
]


@pytest.mark.parametrize(("arguments", "expected"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_a_wrong_request_is_one_sentence_and_exit_code_2(
    arguments: list[str], expected: str, tmp_path: object
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "striate", *arguments],
        capture_output=True,
        check=False,
        cwd=str(tmp_path),
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_in_json_is_an_object() -> None:
    done = striate("models", "lenet6", "--json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["kind"] == "UnknownNameError"
    assert "lenet5" in answer["error"]


def test_the_readers_right_to_go_away() -> None:
    done = subprocess.run(
        f"{sys.executable} -m striate models | head -1", shell=True, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr
