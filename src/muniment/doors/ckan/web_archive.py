"""A WARC of what was asked and answered, beside each copy: for web archives, in their own format (ISO 28500)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from muniment.content.extras import need
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portal
from muniment.errors.archive import ResourceNotFound

if TYPE_CHECKING:
    from muniment.content.archive import Archive


def write_snapshot(
    archive: Archive, portal: Portal, row: Mapping[object, object], found: Checked, asked: str, place: str
) -> None:
    """Keep request and answer of a copy as a resource of its own, an instance for each copy.

    Raises:
        ExtraMissing: The library for WARC is not installed.
        MunimentError: The archive did not take it.
    """
    need("warc", "A WARC of each copy")
    from warcio.statusandheaders import StatusAndHeadersParser  # noqa: PLC0415 - an extra
    from warcio.warcwriter import WARCWriter  # noqa: PLC0415 - an extra

    assert found.body is not None
    stamp = place.partition("/")[0]
    id = f"warc/{row['resource']}"  # noqa: A001 - the domain's word
    try:
        newest = archive.instance(id, project=portal.project)
    except ResourceNotFound:
        newest = None
    if newest is not None and newest.metadata.get("ckan", {}).get("timestamp") == stamp:
        return
    warc = found.body.with_name("snapshot.warc.gz")
    with warc.open("wb") as target, found.body.open("rb") as body:
        writer = WARCWriter(target, gzip=True)
        headers = StatusAndHeadersParser(["HTTP/1.1"]).parse(io.BytesIO(found.head))
        record = writer.create_warc_record(
            found.redirected_to or asked,
            "response",
            payload=body,
            length=found.size,
            http_headers=headers,
            warc_headers_dict={"WARC-Date": stamp},
        )
        writer.write_record(record)
    message = f"what was answered to {asked}"
    transaction = (
        archive.new(id, portal.project, message=message)
        if newest is None
        else archive.get(id, "a", project=portal.project, message=message)
    )
    with transaction:
        for path in [entry.path for entry in transaction.files()]:
            transaction.delete(path)
        transaction.add(warc, "snapshot.warc.gz")
        transaction.metadata.update({"ckan": {"portal": portal.name, "resource": row["resource"], "timestamp": stamp}})
