"""The command `serve`: the archive over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 for a free one. Default: 8000.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, max=256, metavar="N", help="Processes that serve. Default: 1.")
    ] = None,
    trusted: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", metavar="CIDR", help="A reverse proxy whose forwarded headers are believed."),
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="The same as --trusted-proxy 127.0.0.1 --trusted-proxy ::1.")
    ] = False,
    root_path: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="The path a reverse proxy puts before ours.")
    ] = None,
    proxy_users: Annotated[
        str | None, typer.Option(metavar="CSV", help="The users a trusted proxy may sign in.")
    ] = None,
) -> None:
    """Serve the archive over HTTP until it is told to stop (SIGTERM, Ctrl-C)."""
    from muniment.app.serving import serve as run
    from muniment.errors.base import BadInput

    app = context.obj.app()
    proxies = [*(trusted or ()), *(("127.0.0.1", "::1") if behind_proxy else ())]
    if proxy_users and not (proxies or app.settings.serve_trusted_proxies):
        raise BadInput(reason="--proxy-users needs a --trusted-proxy that may name them")
    given: dict[str, object] = {
        "serve_host": host,
        "serve_port": port,
        "serve_processes": processes,
        "serve_root_path": root_path,
        "serve_trusted_proxies": ",".join(proxies) or None,
        "proxy_users": proxy_users,
    }
    run(app.settings.changed(**given))
