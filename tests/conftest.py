"""What all tests in Python share: the library of helpers, one PostgreSQL for the session, a fresh database for each test."""
import os
import resource
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import leadline_testing  # noqa: E402

signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended and folders are removed

# Some tests open a thousand connections; Debian's soft limit is 1,024 descriptors.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


@pytest.fixture(scope="session")
def postgres():
    """A private PostgreSQL of this session, with a migrated template."""
    server = leadline_testing.Postgres()
    server.start()
    yield server
    server.close()


@pytest.fixture
def database(postgres):
    """A fresh database with the schema; gone after the test."""
    fresh = postgres.fresh_database()
    yield fresh
    fresh.drop()


@pytest.fixture
def client(dev):
    """A supplier's client of the running installation, `dev`, that the test's file has."""
    connected = leadline_testing.Client(dev.port)
    yield connected
    connected.close()
