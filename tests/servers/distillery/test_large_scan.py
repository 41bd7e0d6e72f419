"""A BigTIFF of more than four gigabytes, whose pixels lie where 32 bits do not reach: read, kept, sent, proved.

It is more than S3 takes in one request: a real service (Swift) gets it in parts, compares the digest of each, and is
read back whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import pyvips
from botocore.config import Config

from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.settings import StoreSettings
from muniment.imaging import Description, ImageProcess
from muniment.stores import open_store
from muniment.stores.s3.multipart import PART
from muniment.testing.servers.swift import Swift
from muniment.testing.services import Service, shared
from tests.servers.distillery.conftest import Scene

WIDTH, HEIGHT = 640, 400
FAR = (4 << 30) + 4096
"""Where the pixels begin; before them there is a hole, so that the disk need not hold it."""
SIZE = 5 << 30


def write_big(path: Path) -> bytes:
    """Write it, after the design of BigTIFF: 8 bytes for each offset, the directory at its end; the pixels."""
    pixels = b"".join(
        struct.pack("<HHH", x * 101 & 0xFFFF, y * 163 & 0xFFFF, (x * y) & 0xFFFF)
        for y in range(HEIGHT)
        for x in range(WIDTH)
    )
    rows = 100
    strip = WIDTH * 6 * rows
    count = HEIGHT // rows
    at = SIZE - 4096
    lists = at + 1024
    short, number = 3, 16  # SHORT, and LONG8 of BigTIFF
    entries = [
        (256, number, 1, WIDTH),
        (257, number, 1, HEIGHT),
        (258, short, 3, struct.unpack("<Q", struct.pack("<HHHH", 16, 16, 16, 0))[0]),
        (259, short, 1, 1),
        (262, short, 1, 2),
        (273, number, count, lists),
        (277, short, 1, 3),
        (278, number, 1, rows),
        (279, number, count, lists + 8 * count),
        (284, short, 1, 1),
    ]
    directory = struct.pack("<Q", len(entries))
    directory += b"".join(struct.pack("<HHQQ", *entry) for entry in entries) + struct.pack("<Q", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, at))
        file.seek(FAR)
        file.write(pixels)
        file.seek(at)
        file.write(directory)
        file.seek(lists)
        file.write(struct.pack(f"<{count}Q", *(FAR + strip * each for each in range(count))))
        file.write(struct.pack(f"<{count}Q", *[strip] * count))
        file.truncate(SIZE)
    return pixels


def test_pixels_beyond_four_gigabytes_are_in_the_jpeg_2000(tmp_path: Path) -> None:
    scan, out = tmp_path / "big.tif", tmp_path / "big.jp2"
    pixels = write_big(scan)
    with ImageProcess() as images:
        (page,) = images.inspect(scan).pages
        assert (page.width, page.height, page.bands, page.format) == (WIDTH, HEIGHT, 3, "ushort")
        images.lossless(scan, 0, out, tmp_path / "big.icc", Description("t", "i", "s", "p", "r"))
    assert bytes(pyvips.Image.new_from_file(str(out)).write_to_memory()) == pixels


@pytest.fixture
def swift(run_folder: Path) -> Iterator[Service]:
    with shared("swift", run_folder) as service:
        yield service


def recorded(scene: Scene) -> dict[str, tuple[int, str]]:
    """Size and sha256 of each file that the catalogue knows of, by its ending."""
    return {
        version["file_uri"].rpartition(".")[2]: (version["file_size_bytes"], version["checksum"])
        for uri, each in scene.server.records.items()
        if "/digital_object_components/" in uri
        for version in each["file_versions"]
    }


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_scan_of_five_gigabytes_is_kept_sent_and_recorded(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    write_big(scene.settings.scans / "HBF/HBF_1_05/HBF_1_05_01.tif")
    batch = scene.run("cloud", patience=3000.0)
    (sent,) = (scene.folder / "cloud").rglob("*.tif")
    assert sent.stat().st_size == SIZE
    assert recorded(scene)["tif"][0] == SIZE
    assert list(audit(scene.context, batch)) == []


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_scan_of_five_gigabytes_goes_to_s3_in_parts_and_is_proved_there(scene: Scene, swift: Service) -> None:
    keys = {"access_key": Swift.access_key, "secret_key": Swift.secret_key}
    client = boto3.client(
        "s3", endpoint_url=swift.url, aws_access_key_id=keys["access_key"], aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1", config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    client.create_bucket(Bucket="large-scans")
    address = f"s3://large-scans/kept?endpoint={swift.url}"
    scene.change(cloud=StoreSettings(address))
    scene.context._stores["cloud"] = open_store(address, keys=keys)
    scene.describe("HBF_001_05")
    write_big(scene.settings.scans / "HBF/HBF_1_05/HBF_1_05_01.tif")
    batch = scene.run("cloud", patience=3000.0)
    instance = scene.archive.instance("HBF_001_05", project=scene.settings.project)
    (path,) = (each for each in instance if each.endswith(".tif"))
    assert recorded(scene)["tif"] == (SIZE, instance[path].digests["sha256"])
    listed = {each["Key"]: each for each in client.list_objects_v2(Bucket="large-scans")["Contents"]}
    (key,) = (each for each in listed if each.endswith(".tif"))
    assert listed[key]["Size"] == SIZE
    head = client.head_object(Bucket="large-scans", Key=key)
    assert head["ETag"].strip('"').endswith(f"-{SIZE // PART}"), "how many parts it has"
    assert list(audit(scene.context, batch)) == []
