"""Requests to servers: with a timeout, and never through a proxy to one on loopback, whatever `HTTP_PROXY` says."""

from __future__ import annotations

import ipaddress

import httpx

__all__ = ["answers", "client"]

_SECONDS = 30
"""A server that is not there refuses at once; a busy one takes a moment."""


def client(url: str, auth: tuple[str, str] | None = None) -> httpx.Client:
    """A client of the server at `url`, to be closed by whoever opens it.

    Args:
        url: of the server; requests name paths on it.
        auth: name and password.

    Raises:
        httpx.InvalidURL: `url` is no address.
    """
    return httpx.Client(
        base_url=url,
        auth=auth,
        timeout=_SECONDS,
        follow_redirects=True,
        trust_env=not _on_loopback(httpx.URL(url).host),
    )


def answers(url: str) -> bool:
    """Whether a server answers at `url`, and not with an error."""
    try:
        with client(url) as server:
            return server.get(url).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
