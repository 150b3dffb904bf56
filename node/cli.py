"""The verbs that concern nodes: sending to them, looking at what they hold, reading their logs."""

from __future__ import annotations

import typer

from node.verbs import aggregate_cli, consenting, disclose_cli, log_cli, open_cli, ps_cli, send_cli, show_cli


def register(app: typer.Typer) -> None:
    """Mount them."""
    for module in (
        send_cli,
        disclose_cli,
        consenting,
        open_cli,
        aggregate_cli,
        show_cli,
        ps_cli,
        log_cli,
    ):
        module.register(app)
