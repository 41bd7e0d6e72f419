"""The pages of the Distillery: plain, whole, and usable without scripts; a script adds the lines of a running log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

from muniment.doors.distillery.batches import Line

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_WORDS = {"onsite": "tape or shelf (onsite)", "cloud": "cloud", "access": "access pages"}
_REFRESH = '<noscript><meta http-equiv="refresh" content="10"></noscript>'

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
nav a { margin-inline-end: 1rem; }
h1 { font-family: Georgia, serif; font-size: 1.5rem; line-height: 1.25; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentcolor 25%, transparent); padding: .4rem; text-align: start;
  vertical-align: top; }
fieldset { border: 0; margin: 1rem 0; padding: 0; }
label { display: block; padding: .3rem 0; }
input[type=text] { font: inherit; max-width: 100%; padding: .4rem; }
button { font: inherit; min-height: 2.75rem; padding: .4rem 1rem; }
ol.log { font: .9rem/1.5 ui-monospace, monospace; list-style: none; overflow-wrap: anywhere; padding: 0; }
.problem, .failed, .error, .different { border-inline-start: .3rem solid #b3261e; padding-inline-start: .5rem; }
.waiting, .warning, .unknown { border-inline-start: .3rem solid #8a6100; padding-inline-start: .5rem; }
.finished { border-inline-start: .3rem solid #1b6b3a; padding-inline-start: .5rem; }
"""

SCRIPT = """
"use strict";
const log = document.querySelector("ol[data-log]");
if (log && window.EventSource) {
  const source = new EventSource(log.dataset.log + "?after=" + log.dataset.last);
  const state = document.querySelector("[role=status]");
  source.addEventListener("line", event => {
    const line = JSON.parse(event.data);
    if (document.getElementById("L" + line.number)) return;
    const item = document.createElement("li");
    item.id = "L" + line.number;
    item.className = line.kind;
    item.textContent = line.shown;
    log.append(item);
  });
  source.addEventListener("open", () => { state.textContent = "Live."; });
  source.addEventListener("error", () => { state.textContent = "Stopped; trying again."; });
  source.addEventListener("end", () => { source.close(); location.reload(); });
}
"""


def batches(root: str, found: Sequence[Mapping[str, Any]], user: str) -> HTMLResponse:
    """The batches there were."""
    running = sum(each["state"] == "running" for each in found)
    failed = sum(each["state"] == "failed" for each in found)
    title = f"{running} batches are running, {failed} were not done whole" if found else "No batch was run yet"
    rows = "".join(
        f'<tr><td><a href="{root}/distillery/{each["batch"]}">{escape(each["collection"])}</a></td>'
        f"<td>{escape(', '.join(each['to']))}</td><td>{_state(each['state'])}</td>"
        f"<td>{_time(each['created_at'])}</td><td>{escape(each['requester'])}</td></tr>"
        for each in sorted(found, key=lambda each: (each["state"] != "failed", each["state"] != "running"))
    )
    head = "<tr><th>Collection</th><th>To</th><th>State</th><th>Asked for</th><th>By</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if found else ""
    begin = f'<p><a href="{root}/distillery/new">Begin one</a></p>'
    return _page(root, "Distillery", title, f"{begin}{table}", user=user)


def form(root: str, collections: Sequence[str], to: Sequence[str], user: str) -> HTMLResponse:
    """The form."""
    options = "".join(f'<option value="{escape(each)}">' for each in collections)
    boxes = "".join(
        f'<label><input type="checkbox" name="to" value="{each}" checked> {_WORDS[each]}</label>' for each in to
    )
    body = f"""<form method="post" action="{root}/distillery/new">
<label>Collection <input type="text" name="collection" list="collections" required maxlength="60"
pattern="[A-Za-z0-9][A-Za-z0-9._~\\-]*" autocomplete="off"></label>
<datalist id="collections">{options}</datalist>
<fieldset><legend>To</legend>{boxes}</fieldset>
<button name="do" value="preview">Preview</button>
</form>
<p>Nothing is changed before you have seen what would happen.</p>"""
    return _page(root, "Distillery: new batch", "Which scans, and where to?", body, user=user)


def preview(root: str, document: Mapping[str, Any]) -> HTMLResponse:
    """What a run would do."""
    seen = document["preview"]
    name = escape(document["collection"])
    if seen is None:
        over = document["state"] != "running"
        title = f"{name} could not be looked at" if over else f"{name} is being looked at"
        said = escape(document["reason"]) if over else "You may close this page and come back."
        head = "" if over else '<meta http-equiv="refresh" content="2">'
        return _page(root, "Distillery: preview", title, f"<p>{said}</p>", head=head)
    ready, all_ = len(seen["ready"]), len(seen["folders"])
    title = f"{ready} of {all_} folders of {name} are ready"
    clean = not any(each["severity"] == "error" for each in seen["problems"])
    body = _problems(seen["problems"]) + _folders(seen["folders"]) + _stores(seen["stores"]) + _changes(seen["changes"])
    if ready:
        partly = "" if clean else '<input type="hidden" name="ready" value="1">'
        left = ", ".join(escape(each["folder"]) for each in seen["folders"] if each["folder"] not in seen["ready"])
        word = "Run" if clean else f"Run the {ready} that are ready"
        body += f"""<form method="post" action="{root}/distillery/{document["batch"]}/run">{partly}
<button>{word}</button></form>{f"<p>Left alone: {left}</p>" if left else ""}"""
    return _page(root, "Distillery: preview", title, body)


def run(root: str, document: Mapping[str, Any], lines: Iterable[Line]) -> HTMLResponse:
    """A batch and its log."""
    name, batch, state = escape(document["collection"]), document["batch"], document["state"]
    said = {
        "running": f"{name} is being distilled: {document['steps_done']} of {document['steps']} steps are done",
        "done": f"{name} is verified and recorded",
        "failed": f"{name} was not distilled whole",
        "cancelled": f"{name} was stopped",
    }[state]
    last, items = 0, []
    for line in lines:
        last = line.number
        items.append(f'<li id="L{line.number}" class="{escape(line.kind)}">{escape(line_text(line))}</li>')
    live = f' data-log="{root}/distillery/{batch}/log" data-last="{last}"' if state == "running" else ""
    reason = f'<p class="failed">{escape(document["reason"])}</p>' if document["reason"] else ""
    stop = f'<form method="post" action="{root}/distillery/{batch}/stop"><button>Stop</button></form>'
    links = f'<p><a href="{root}/distillery/{batch}/log.txt">Log as text</a> '
    links += f'<a href="{root}/distillery/{batch}/audit">Audit</a></p>'
    body = f"""{reason}<p role="status"></p>{links}<ol class="log"{live}>{"".join(items)}</ol>
{f"<p>You may close this page.</p>{stop}" if state == "running" else ""}"""
    return _page(root, "Distillery: batch", said, body, head=_REFRESH if state == "running" else "")


def audit(root: str, document: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> HTMLResponse:
    """What differs from what a batch did."""
    name = escape(document["collection"])
    different = sum(each["kind"] == "different" for each in found)
    unknown = len(found) - different
    title = f"{name}: {different} things differ, {unknown} could not be told" if found else f"{name} is as it was left"
    rows = "".join(
        f'<tr class="{each["kind"]}"><td>{escape(each["where"])}</td><td>{escape(each["what"])}</td>'
        f"<td>{escape(each['text'])}</td></tr>"
        for each in found
    )
    head = "<tr><th>Where</th><th>What</th><th>Found</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if found else ""
    back = f'<p><a href="{root}/distillery/{document["batch"]}">The batch</a></p>'
    return _page(root, "Distillery: audit", title, f"{back}{table}")


def line_text(line: Line) -> str:
    """A line of a log as text."""
    where = f"{line.folder}: " if line.folder else ""
    mark = "" if line.kind == "info" else f"{line.kind}: "
    return f"{line.number:>4}  {_stamp(line.at)}  {mark}{where}{line.text}"


# --- inside


def _page(root: str, name: str, title: str, body: str, *, user: str = "", head: str = "") -> HTMLResponse:
    """A page; `title` and `body` are HTML already."""
    who = f"<span>{escape(user)}</span>" if user else ""
    text = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}</title><link rel="stylesheet" href="{root}/distillery/style.css">
<script src="{root}/distillery/live.js" defer></script>{head}</head>
<body><nav><a href="{root}/distillery">Batches</a><a href="{root}/distillery/new">New</a>{who}</nav>
<main><h1>{title}</h1>
{body}
</main></body></html>
"""
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})


def _problems(problems: Sequence[Mapping[str, Any]]) -> str:
    if not problems:
        return "<p>Nothing is in the way.</p>"
    ordered = sorted(problems, key=lambda each: (each["severity"] != "error", each["folder"], each["file"]))
    items = ""
    for each in ordered:
        where = escape("/".join(word for word in (each["folder"], each["file"]) if word))
        said = escape(f"{each['text']}. {each['way_out']}")
        items += f'<li class="{each["severity"]}"><bdi dir="ltr">{where}</bdi> {said}</li>'
    return f"<h2>In the way</h2><ul>{items}</ul>"


def _folders(folders: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(each['folder'])}</td><td>{escape(each['title'] or each['component_id'])}</td>"
        f"<td>{each['images']}</td><td>{each['bytes']:,}</td></tr>"
        for each in folders
    )
    head = "<tr><th>Folder</th><th>Archival object</th><th>Images</th><th>Bytes</th></tr>"
    return f"<h2>Folders</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _stores(stores: Sequence[Mapping[str, Any]]) -> str:
    items = ""
    for each in stores:
        tape = f", tape {each['tape']}" if each["tape"] else ""
        room = "" if each["free"] is None else f", {each['free']:,} bytes free"
        items += f"<li>{escape(each['destination'] + ': ' + each['address'] + tape + room)}</li>"
    return f"<h2>Stores</h2><ul>{items}</ul>" if items else ""


def _changes(changes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in changes)
    return f"<details><summary>{len(changes)} things would be made or changed</summary><ul>{items}</ul></details>"


def _state(state: str) -> str:
    return f'<span class="{"failed" if state == "failed" else "info"}">{escape(state)}</span>'


def _time(at: float) -> str:
    return f'<time datetime="{_stamp(at)}">{_stamp(at)}</time>'


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
