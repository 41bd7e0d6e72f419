"""The Distillery's settings: what may be set, what is said of what cannot, and the original's settings taken over."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from muniment.doors.distillery.original_settings import import_settings
from muniment.doors.distillery.settings import DistillerySettings, read_secret, read_settings
from muniment.errors.distillery import BadDistillerySetting

WHOLE = """
[distillery]
scans = "scans"
normalisation = "jp2"
watched = ["HBF"]
every = 60
[distillery.archivesspace]
url = "https://archivesspace.example.org/api"
user = "distillery"
password_file = "password"
repository = "ARCH"
[distillery.cloud]
address = "s3://bucket/scans?class=DEEP_ARCHIVE"
[distillery.images]
memory = 1000000000
seconds = 60
"""


def settings(tmp_path: Path, text: str = WHOLE) -> DistillerySettings:
    place = tmp_path / "distillery.toml"
    place.write_text(text)
    return read_settings(place)


def test_paths_count_from_the_files_own_folder(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.scans == tmp_path / "scans"
    assert found.archivesspace.password_file == tmp_path / "password"
    assert found.destinations == ("cloud",)
    assert (found.every, found.images.seconds, found.broken) == ("60", 60.0, "strict")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('scans = "scans"', "scans is needed"),
        ('normalisation = "jp2"', "normalisation is one of original, jp2, both"),
        ('watched = ["HBF"]', "watched is a list of texts"),
        ('url = "https://archivesspace.example.org/api"', "archivesspace.url is a text"),
        ("memory = 1000000000", "images.memory is above 0"),
        ('user = "distillery"', "there is no setting archivesspace.usr"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_should_be(change: str, said: str, tmp_path: Path) -> None:
    wrong = {
        'scans = "scans"': "",
        'normalisation = "jp2"': 'normalisation = "JP2"',
        'watched = ["HBF"]': "watched = [1]",
        'url = "https://archivesspace.example.org/api"': "url = 1",
        "memory = 1000000000": "memory = 0",
        'user = "distillery"': 'user = "distillery"\nusr = "x"',
    }
    with pytest.raises(BadDistillerySetting, match=said):
        settings(tmp_path, WHOLE.replace(change, wrong[change]))


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ('publisher = "iiif"\nurl = "https://x.example"', "access.folder is needed for iiif"),
        ('publisher = "islandora7"\nurl = "https://x.example"\nwebroot = "/w"', "access.ssh is needed"),
        ('publisher = "islandora7"\nssh = "-oProxyCommand=x"\nurl = "https://x.example"', "access.ssh is user@host"),
        ('publisher = "islandora2"\nurl = "ftp://x.example"', "access.url is an http or https address"),
        ('publisher = "moon"', "access.publisher is one of"),
    ],
)
def test_a_publisher_says_what_it_needs(access: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadDistillerySetting, match=said):
        settings(tmp_path, f"{WHOLE}[distillery.access]\n{access}\n")


@pytest.mark.parametrize("text", ["", "[distillery", "[other]\n", "distillery = 1", "\ufeff[distillery]\nscans = 3"])
def test_what_is_no_section_is_refused_with_its_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadDistillerySetting, match=r"distillery\.toml"):
        settings(tmp_path, text)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadDistillerySetting, match=r"nothing.*broken is one of|broken is one of.*nothing"):
        settings(tmp_path, WHOLE.replace('watched = ["HBF"]', 'nothing = 1\nbroken = "maybe"'))


def test_a_secret_is_the_first_line_of_its_file_and_never_said(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret word\nmore\n")
    assert read_secret(tmp_path / "password", "the password") == "secret word"
    (tmp_path / "empty").write_text("\nsecret word")
    with pytest.raises(BadDistillerySetting) as caught:
        read_secret(tmp_path / "empty", "the password")
    assert "secret word" not in str(caught.value)


def test_commands_that_mount_are_lists_of_words_and_belong_to_tapes(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text('[distillery.onsite]\naddress = "/mnt"\nmount = ["ltfs", "/mnt"]\n')
    with pytest.raises(BadDistillerySetting, match=r"onsite\.mount is for tapes"):
        read_settings(path)
    path.write_text('[distillery.onsite]\naddress = "ltfs:///mnt"\nmount = "ltfs /mnt"\n')
    with pytest.raises(BadDistillerySetting, match=r"onsite\.mount is a list of texts"):
        read_settings(path)


ORIGINAL = """
[settings]
ASPACE_API_URL = https://archivesspace.example.org/api
ASPACE_USERNAME = distillery
ASPACE_PASSWORD = 100% "se#cret"
ASPACE_STAFF_URL = https://archivesspace.example.org/staff
AWS_ACCESS_KEY = AKIA
AWS_SECRET_KEY = abc/def
PRESERVATION_BUCKET = kept
STAGE_1_ORIGINAL_FILES = /mnt/scans
STAGE_3_ORIGINAL_FILES = /mnt/done
TAPE_SSH_USER = keeper
TAPE_SSH_HOST = tape.example.org
TAPE_SSH_PORT = 2222
TAPE_LTO_MOUNTPOINT = /mnt/ltfs
TAPE_LTFS_CMD = /usr/local/bin/ltfs
TAPE_RSYNC_CMD = /usr/bin/rsync
ISLANDORA_SSH_USER = web
ISLANDORA_SSH_HOST = islandora.example.org
ISLANDORA_SSH_PORT = 2200
ISLANDORA_WEBROOT = /var/www/html/drupal
ISLANDORA_URL = https://islandora.example.org
MAGICK_CMD = /usr/bin/magick
NAS_PASS = hidden
[loggers]
keys = root
"""


def test_the_originals_settings_become_a_section_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(ORIGINAL)
    (tmp_path / "users.csv").write_text("email_address,display_name\na@example.org,A\n")
    made = import_settings(tmp_path / "settings.ini", tmp_path / "out.toml")
    found = read_settings(made.path)
    assert found.scans == Path("/mnt/scans")
    assert found.done == Path("/mnt/done")
    assert found.users == tmp_path / "users.csv"
    assert found.cloud.address == "s3://kept"
    assert found.onsite.address == "ltfs://keeper@tape.example.org:2222/mnt/ltfs"
    assert found.onsite.commands == {
        "mount": ("/usr/local/bin/ltfs", "/mnt/ltfs"), "unmount": ("umount", "/mnt/ltfs")
    }  # fmt: skip
    access = found.access
    assert (access.publisher, access.url) == ("islandora7", "https://islandora.example.org")
    assert (access.ssh, access.webroot) == ("web@islandora.example.org:2200", "/var/www/html/drupal")
    assert read_secret(found.archivesspace.password_file, "it") == '100% "se#cret'
    assert read_secret(found.cloud.secret_key_file, "it") == "abc/def"
    assert made.left_out == ("NAS_PASS",)


def test_credentials_stand_in_files_of_their_own_that_only_the_owner_reads(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(ORIGINAL)
    made = import_settings(tmp_path / "settings.ini", tmp_path / "out.toml")
    assert len(made.secrets) == 3
    assert all(stat.S_IMODE(place.stat().st_mode) == 0o600 for place in made.secrets)
    assert not any(word in made.path.read_text() for word in ("se#cret", "AKIA", "abc/def", "hidden"))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(ORIGINAL)
    (tmp_path / "out-cloud-access-key").write_text("mine")
    with pytest.raises(BadDistillerySetting, match="is there already"):
        import_settings(tmp_path / "settings.ini", tmp_path / "out.toml")
    assert {each.name for each in tmp_path.iterdir()} == {"settings.ini", "out-cloud-access-key"}


@pytest.mark.parametrize("text", ["", "no ini", "[other]\na = 1\n", "[settings\n"])
def test_what_is_no_settings_ini_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(text)
    with pytest.raises(BadDistillerySetting, match=r"settings\.ini"):
        import_settings(tmp_path / "settings.ini", tmp_path / "out.toml")
