"""Requests to servers: with a timeout, and on loopback never through a proxy, whatever `HTTP_PROXY` says."""

from __future__ import annotations

import ipaddress

import httpx

__all__ = ["answers", "client"]

_SECONDS = 30
"""A missing server refuses at once; a busy one takes a moment to answer."""


def client(url: str, auth: tuple[str, str] | None = None) -> httpx.Client:
    """Open a client of the server at `url`; the caller closes it.

    Args:
        url: address of the server; requests name paths relative to it.
        auth: user name and password.

    Raises:
        httpx.InvalidURL: `url` is not an address.
    """
    return httpx.Client(
        base_url=url,
        auth=auth,
        timeout=_SECONDS,
        follow_redirects=True,
        trust_env=not _on_loopback(httpx.URL(url).host),
    )


def answers(url: str) -> bool:
    """Return whether a server answers at `url` without an error."""
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
