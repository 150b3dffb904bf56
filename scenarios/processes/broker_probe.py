"""Whether an MQTT broker answers at an address, and which version of the protocol it speaks."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from typing import Literal

import aiomqtt

from node.broker_url import BrokerUrl
from node.errors import PrivityError

Protocol = Literal["3.1.1", "5"]

# The newest first: that one is wanted where both are spoken.
PROTOCOLS: dict[Protocol, aiomqtt.ProtocolVersion] = {
    "5": aiomqtt.ProtocolVersion.V5,
    "3.1.1": aiomqtt.ProtocolVersion.V311,
}
ANSWER_S = 3.0  # For a connection, and again for each version of the protocol that is tried.

# A probe that fails is told once, by us; the client library would tell it again on stderr.
_silent = logging.getLogger("privity.probe")
_silent.setLevel(logging.CRITICAL)


async def answering_protocol(address: BrokerUrl) -> Protocol:
    """The newest version of MQTT that the broker speaks, found out by connecting to it.

    Raises PrivityError E-BROKER if nothing there answers as a broker does within seconds.
    """
    try:
        # First without MQTT: the client library does this part in a thread that nobody can interrupt.
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(
                address.host, address.port, ssl=address.client_arguments()["tls_context"]
            )
        writer.close()
    except TimeoutError:
        raise _unanswered(address, f"no connection within {ANSWER_S:g} s") from None
    except ConnectionRefusedError:
        raise _unanswered(address, "nothing listens there") from None
    except ssl.SSLCertVerificationError:
        why = "its certificate is not one this machine trusts (SSL_CERT_FILE may name your own authority)"
        raise _unanswered(address, why) from None
    except ssl.SSLError:
        raise _unanswered(address, "it does not speak TLS; mqtt:// may be meant") from None
    except ConnectionError:
        hint = "; mqtt:// may be meant" if address.tls else ""
        raise _unanswered(address, f"the connection was closed at once{hint}") from None
    except OSError as error:
        raise _unanswered(address, (error.strerror or type(error).__name__).lower()) from None
    refusal = ""
    for protocol, version in PROTOCOLS.items():
        try:
            async with aiomqtt.Client(
                **address.client_arguments(),
                identifier=secrets.token_hex(8),
                protocol=version,
                timeout=ANSWER_S,
                logger=_silent,
            ):
                return protocol
        except (aiomqtt.MqttError, OSError) as error:
            refusal = _reason(error)
            if refusal.startswith("timed out"):
                break
    raise _unanswered(address, refusal)


def _reason(error: Exception) -> str:
    """Why a connection failed, in our own words, for those of a library may quote what it was given."""
    if isinstance(error, aiomqtt.MqttCodeError):
        code = getattr(error.rc, "value", error.rc)
        if code in (4, 5, 134, 135):
            return "it refused the user name and password, or wants some"
        return f"it refused the connection (MQTT code {code})"
    if "timed out" in str(error).lower():
        return "timed out: something accepts connections there, but no MQTT broker answered"
    return "the connection was closed without an MQTT answer; mqtts:// may be meant"


def _unanswered(address: BrokerUrl, why: str) -> PrivityError:
    return PrivityError(
        "E-BROKER",
        "the broker does not answer",
        where=address.public,
        why=why,
        next="start it, mend the address, or use --broker embedded",
    )
