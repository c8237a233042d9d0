"""The door: every verb has --help, at once and without torch; errors are one sentence and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from striate.cli import app, main
from striate.cli.answer import count

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
    (["check", "no/such/folder"], "got 'no/such/folder', which is no folder and no name: check the path"),
    (["check", "lenet6"], "lenet5"),
    (["check", "fashion-mnst"], "did you mean fashion-mnist"),
    (["train", "--epochs", "many"], "Invalid value for '--epochs'"),
    (["train", "--epoch", "3"], "No such option: --epoch (Possible options: --epochs, "),
    (["trian"], "Did you mean 'train'?: see striate --help"),
    (["train", "a", "b"], "unexpected extra argument"),
    (["train", ""], "got nothing: name the folder"),
    (["train", "--resume", "r", "--epochs", "3"], "--epochs must be left out with --resume"),
    (["train", "--resume", "r", "--seed", "3"], "--seed must be left out with --resume"),
    (["predict", "r", "-", "-"], "- must stand once"),
]


@pytest.mark.parametrize(("arguments", "expected"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_a_wrong_request_is_one_sentence_and_exit_code_2(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["striate", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert left.value.code == 2, said.err
    assert said.err.startswith("error: ") and expected in said.err
    assert said.out == ""
    assert not list(tmp_path.iterdir())


def test_an_error_in_json_is_an_object() -> None:
    done = striate("models", "lenet6", "--json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["kind"] == "UnknownNameError"
    assert "lenet5" in answer["error"]


def test_a_wrong_option_in_json_is_an_object() -> None:
    done = striate("train", "--epochs", "many", "--json")
    assert done.returncode == 2 and not done.stderr
    assert "--epochs" in json.loads(done.stdout)["error"]


def test_no_verb_is_a_request_for_help() -> None:
    done = striate()
    assert done.returncode == 0 and b"Usage: striate" in done.stdout


def test_names_that_the_terminal_cannot_show_are_spelled_out() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "striate", "train", "no/\u732b"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )
    assert done.returncode == 2
    assert b"or a named set; no/\\u732b does not exist" in done.stderr


def test_a_file_that_cannot_be_read_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "a/b.png")

    monkeypatch.setattr("striate.api.report", broken)
    monkeypatch.setattr(sys, "argv", ["striate", "report", "r"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "a/b.png cannot be read or written (Permission denied): check" in capsys.readouterr().err


def test_numbers_and_their_words() -> None:
    assert [count(number, "epoch") for number in (0, 1, 12_000)] == ["0 epochs", "1 epoch", "12,000 epochs"]


def test_the_readers_right_to_go_away() -> None:
    done = subprocess.run(
        f"{sys.executable} -m striate models | head -1", shell=True, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr
