"""The crash tests use the servers, clients and images of the end-to-end tests."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import pytest

from faults import Names
from recording import Recording
from template import Template


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return Template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def names():
    return Names()


@pytest.fixture(scope="session")
def calls(template, tmp_path_factory):
    """All calls of a life without faults."""
    return Recording(template, tmp_path_factory.mktemp("calls") / "life").life.faults.calls()


@pytest.fixture
def recording(template, tmp_path):
    return Recording(template, tmp_path / "recorded")
