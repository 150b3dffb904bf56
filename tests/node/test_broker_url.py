"""The address of a broker: what can be used, what is kept of it, and that its password stays unseen."""

from __future__ import annotations

import ssl

import pytest

from node.broker_url import BrokerUrl
from node.errors import PrivityError


@pytest.mark.parametrize(
    "url",
    [
        "broker",
        "http://host",
        "mqtt://",
        "mqtt://host:port",
        "mqtt://host:99999",
        "mqtt://ann:s3cret-word@host/topic",
        "mqtt://ann:s3cret#word@host",
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(url: str) -> None:
    """An address that is not well-formed is E-BROKER, wrong usage, and the message does not quote it."""
    with pytest.raises(PrivityError) as refused:
        BrokerUrl.parse(url)
    assert (refused.value.code, refused.value.exit_code) == ("E-BROKER", 2)
    assert "s3cret" not in "\n".join(refused.value.lines())


def test_an_address_keeps_its_parts() -> None:
    """Scheme, user, password, host and port are read, defaults filled in, and written back."""
    address = BrokerUrl.parse("mqtts://ann%40x:p%2Fw@[::1]:99")
    assert (
        address.tls,
        address.host,
        address.port,
        address.username,
        address.password,
    ) == (True, "::1", 99, "ann@x", "p/w")
    assert address.full == "mqtts://ann%40x:p%2Fw@[::1]:99"
    assert address.public == "mqtts://ann%40x@[::1]:99"
    assert (BrokerUrl.parse("mqtt://h").port, BrokerUrl.parse("mqtts://h").port) == (1883, 8883)


def test_a_child_gets_the_password_from_its_environment() -> None:
    """The public address and the environment of a child together give back the whole address."""
    address = BrokerUrl.parse("mqtt://ann:s3cret-word@host")
    assert address == BrokerUrl.parse(address.public, address.environment)
    assert "s3cret-word" not in address.public


def test_tls_is_off_unless_asked_for() -> None:
    """mqtt:// connects without TLS; mqtts:// checks certificate and host name."""
    assert BrokerUrl.parse("mqtt://h", {}).client_arguments()["tls_context"] is None
    context = BrokerUrl.parse("mqtts://h", {}).client_arguments()["tls_context"]
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
