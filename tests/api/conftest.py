"""What several tests of this room train on."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_world import draw_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("pictures"))
