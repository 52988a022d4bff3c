"""Two phones on a virtual network, ready for each test."""

import pytest

from gateway.testing.sip import Phone, VirtualNetwork


@pytest.fixture
def network() -> VirtualNetwork:
    return VirtualNetwork()


@pytest.fixture
def ann(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.1")


@pytest.fixture
def bob(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.2")
