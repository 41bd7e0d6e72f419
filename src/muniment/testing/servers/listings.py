"""How web servers list a folder: the shapes of their pages, written anew after what each of them shows."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import formatdate
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from muniment.testing.servers.loopback import Reply

WHEN = 1_700_000_000
"""2023-11-14T22:13:20Z: when everything was changed."""

Lines = Sequence[tuple[str, bool]]
"""Name, and whether it is a folder's."""
Sizes = Mapping[str, int]


def listing(style: str, folder: str, lines: Lines, sizes: Sizes) -> Reply:
    """The page that lists `folder`; `sizes` are those of all files by path."""
    body, kind = STYLES[style](folder, lines, sizes)
    return Reply(200, body.encode(), {"Content-Type": kind})


def _rows(lines: Lines, row: str) -> str:
    """A row for each line, with `{link}`, `{name}` and `{slash}` filled in."""
    return "".join(
        row.format(link=html.escape(quote(name)), name=html.escape(name), slash="/" * is_folder)
        for name, is_folder in lines
    )


def _nginx(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    title = f"Index of {html.escape(folder)}"
    rows = _rows(lines, '<a href="{link}{slash}">{name}{slash}</a>   14-Nov-2023 22:13   -\n')
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1><hr>"
    return f'{page}<pre><a href="../">../</a>\r\n{rows}</pre></body></html>', "text/html"


def _apache(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    row = '<tr><td><img src="/icons/x.gif" alt="[x]"></td><td><a href="{link}{slash}">{name}</a></td>'
    rows = _rows(lines, f"{row}<td>2023-11-14 22:13</td></tr>\n")
    page = f"<!DOCTYPE HTML><html><head><title>Index of {html.escape(folder)}</title></head><body><h1>Index of x</h1>"
    page += '<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>'
    page += f'<tr><td><a href="/">Parent Directory</a></td></tr>{rows}</table>'
    page += '<address>Apache <a href="https://example.org/elsewhere">Server</a></address></body></html>'
    return page, "text/html;charset=UTF-8"


def _caddy(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    row = (
        '<tr class="file"><td></td><td><a href="./{link}{slash}"><svg><title>icon</title></svg>'
        '<span class="name">{name}</span></a></td><td class="size">4 KiB</td>'
        '<td><time datetime="2023-11-14T22:13:20Z">14 November</time></td></tr>'
    )
    page = f"<!DOCTYPE html><html><head><title>{html.escape(folder)}</title><style>a {{ color: red }}</style></head>"
    page += f'<body><header><h1><a href="/">/</a>{html.escape(folder)}</h1></header><div>{len(lines)} items total</div>'
    page += '<table><thead><tr><th><a href="?sort=name&order=asc">Name</a></th><th>Size</th><th>Modified</th></tr>'
    page += f'</thead><tbody><tr><td><a href="..">Up</a></td></tr>{_rows(lines, row)}</tbody></table>'
    page += '<footer>Served with <a href="https://example.org/server">Caddy</a></footer>'
    return f"{page}<script>const filter = 'a b c'</script></body></html>", "text/html; charset=utf-8"


def _go(_folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    rows = _rows(lines, '<a href="{link}{slash}">{name}{slash}</a>\n')
    meta = '<meta name="viewport" content="width=device-width">'
    return f"<!doctype html>\n{meta}\n<pre>\n{rows}</pre>\n", "text/html; charset=utf-8"


def _iis(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    title = f"server.example.org - {html.escape(folder)}"
    row = '11/14/2023 10:13 PM {size} <A HREF="{path}{link}{slash}">{name}</A><br>'
    rows = "".join(
        row.format(
            size="&lt;dir&gt;" if is_folder else "12", path=quote(folder), link=quote(name), slash="/" * is_folder,
            name=html.escape(name),
        )
        for name, is_folder in lines
    )  # fmt: skip
    page = f'<html><head><title>{title}</title></head><body><H1>{title}</H1><hr>\r\n\r\n<pre><A HREF="/">'
    return f"{page}[To Parent Directory]</A><br><br>{rows}</pre><hr></body></html>", "text/html; charset=UTF-8"


def _jetty(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    row = '<tr><td class="name"><a href="{path}{link}{slash}">{name}{slash}&nbsp;</a></td>'
    row += '<td class="lastmodified">Nov 14, 2023, 10:13:20\u202fPM&nbsp;</td><td class="size">12 bytes&nbsp;</td></tr>'
    rows = _rows(lines, row.replace("{path}", quote(folder)))
    page = f"<!DOCTYPE html><html><head><title>Directory: {html.escape(folder)}</title></head><body>"
    page += '<h1 class="title">Directory</h1><table class="listing"><thead><tr><th><a href="?C=N&O=D">Name</a></th>'
    page += '<th><a href="?C=M&O=A">Last Modified</a></th><th><a href="?C=S&O=A">Size</a></th></tr></thead><tbody>'
    return f'{page}<tr><td><a href="/">Parent Directory</a></td></tr>{rows}</tbody></table></body></html>', "text/html"


def _rclone(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    row = (
        '<tr class="file"><td></td><td><a href="./{link}{slash}"><span class="name">{name}</span></a></td>'
        '<td data-order="12"><size>12</size></td><td><time datetime="2023-11-14T22:13:20Z">14 Nov</time></td></tr>'
    )
    name = html.escape(folder.strip("/").rpartition("/")[2] or "/")
    page = f"<!DOCTYPE html><html><head><title>Directory listing of {name}</title></head><body><header>"
    page += f'<h1><a href="../">{name}</a></h1></header><table><thead><tr><th><a href="?sort=namedirfirst">Name</a>'
    return f"{page}</th></tr></thead><tbody>{_rows(lines, row)}</tbody></table></body></html>", "text/html"


def _based(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    """A page whose links are relative to an address that it names itself."""
    rows = _rows(lines, f'<li><a href="{html.escape(quote(folder.lstrip("/")))}{{link}}{{slash}}">{{name}}</a></li>')
    head = f'<head><base href="/"><title>{html.escape(folder)}</title></head>'
    return f"<html>{head}<body><ul>{rows}</ul></body></html>", "text/html"


def _json(folder: str, lines: Lines, sizes: Sizes) -> tuple[str, str]:
    def row(name: str, *, is_folder: bool) -> dict[str, object]:
        found: dict[str, object] = {"name": name, "type": "directory" if is_folder else "file"}
        found["mtime"] = formatdate(WHEN, usegmt=True)
        return found if is_folder else found | {"size": sizes[folder.removeprefix("/") + name]}

    return json.dumps([row(name, is_folder=is_folder) for name, is_folder in lines]), "application/json"


def _caddy_json(folder: str, lines: Lines, sizes: Sizes) -> tuple[str, str]:
    def row(name: str, *, is_folder: bool) -> dict[str, object]:
        size = 4096 if is_folder else sizes[folder.removeprefix("/") + name]
        found = {"name": f"{name}{'/' * is_folder}", "size": size, "url": f"./{quote(name)}", "mode": 420}
        return found | {"mod_time": "2023-11-14T22:13:20.5Z", "is_dir": is_folder, "is_symlink": False}

    return json.dumps([row(name, is_folder=is_folder) for name, is_folder in lines]), "application/json"


def _thredds(folder: str, lines: Lines, _: Sizes) -> tuple[str, str]:
    def rows() -> Iterator[str]:
        for name, is_folder in lines:
            shown = quoteattr(name)
            if is_folder:
                yield f'<catalogRef xlink:href="{quote(name)}/catalog.xml" xlink:title={shown} name=""/>'
                continue
            path = quoteattr(quote(f"{folder.removeprefix('/')}{name}"))
            about = '<dataSize units="Mbytes">1.2</dataSize><date type="modified">2023-11-14T22:13:20Z</date>'
            yield f"<dataset name={shown} urlPath={path}>{about}</dataset>"

    services = '<service name="files" serviceType="HTTPServer" base="/thredds/fileServer/"/>'
    services = f'<service name="dap" serviceType="OPENDAP" base="/thredds/dodsC/"/>{services}'
    page = '<catalog xmlns="http://www.unidata.ucar.edu/namespaces/thredds/InvCatalog/v1.0"'
    page += ' xmlns:xlink="http://www.w3.org/1999/xlink" version="1.2">'
    page += f'<service name="all" serviceType="Compound" base="">{services}</service><dataset name="Top">'
    page += '<metadata inherited="true"><serviceName>all</serviceName></metadata>'
    return f"{page}{''.join(rows())}</dataset></catalog>", "application/xml;charset=UTF-8"


STYLES: Mapping[str, Callable[[str, Lines, Sizes], tuple[str, str]]] = {
    "apache": _apache,
    "base": _based,
    "caddy": _caddy,
    "caddy-json": _caddy_json,
    "go": _go,
    "iis": _iis,
    "jetty": _jetty,
    "json": _json,
    "nginx": _nginx,
    "rclone": _rclone,
    "thredds": _thredds,
}
