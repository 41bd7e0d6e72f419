#!/usr/bin/env python3
"""Checks and extracts an archive where Muniment is not installed: one file, the standard library alone.

It lies in every archive and must run on any Python from 3.8 on, so it keeps to old words on purpose.
"""

import argparse
import hashlib
import json
import os
import re
import sys

CHUNK = 1 << 20
# os.walk and os.makedirs call themselves once for each folder in a path, and a path has room for two thousand.
sys.setrecursionlimit(20000)
VERSION = re.compile(r"v([1-9][0-9]*)\Z")
LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


class Damaged(Exception):
    """Something in the archive is not what its records say."""


def digest_of(path, algorithm):
    """The digest of a file's bytes, as lower-case hexadecimal."""
    found = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            found.update(chunk)
    return found.hexdigest()


def object_roots(objects):
    """Every folder below the storage root that declares itself an OCFL object, sorted."""
    for folder, names, files in os.walk(objects):
        names.sort()
        if any(name.startswith("0=ocfl_object_") for name in files):
            del names[:]
            yield folder
        elif folder == objects and "extensions" in names:
            names.remove("extensions")


def versions_of(root):
    """The numbers of the version folders on disk, ascending."""
    found = (VERSION.match(name) for name in os.listdir(root))
    return sorted(int(match.group(1)) for match in found if match)


def read_inventory(folder):
    """The inventory in a folder, checked against its sidecar."""
    path = os.path.join(folder, "inventory.json")
    sidecars = [name for name in os.listdir(folder) if name.startswith("inventory.json.")]
    if not os.path.isfile(path) or len(sidecars) != 1:
        raise Damaged("%s: no inventory with one sidecar" % folder)
    algorithm = sidecars[0].rsplit(".", 1)[1]
    with open(os.path.join(folder, sidecars[0]), encoding="ascii", errors="replace") as file:
        recorded = (file.read().split() or [""])[0]
    if digest_of(path, algorithm) != recorded.lower():
        raise Damaged("%s: its digest is not the one in its sidecar" % path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def newest_inventory(root):
    """The inventory of the newest version: its own copy, or the one in the root if that is of the same version."""
    versions = versions_of(root)
    if not versions:
        raise Damaged("%s: no version in it" % root)
    head = "v%d" % versions[-1]
    try:
        return read_inventory(os.path.join(root, head))
    except (Damaged, OSError, ValueError) as trouble:
        try:
            found = read_inventory(root)
        except (Damaged, OSError, ValueError):
            raise Damaged(str(trouble))
        if found.get("head") != head:
            raise Damaged(str(trouble))
        return found


def state_of(inventory, version):
    """Logical path to place (below the object's root) of every file of one version."""
    manifest = inventory["manifest"]
    state = inventory["versions"][version]["state"]
    return {path: manifest[digest][0] for digest, paths in state.items() for path in paths}


def records_of(root, layout):
    """The resource's own records of one version: about it, and about its files by their path in the bag."""
    with open(os.path.join(root, layout["metadata/instance.json"]), encoding="utf-8") as file:
        about = json.load(file)
    files = {}
    with open(os.path.join(root, layout["metadata/files.jsonl"]), encoding="utf-8", newline="\n") as file:
        for line in file:
            record = json.loads(line)
            files[record.get("stored", "data/" + record["path"])] = record
    return about, files


def check_object(root):
    """What is wrong with one object, as sentences; and how many files were read."""
    wrong = []
    for number in versions_of(root):
        try:
            read_inventory(os.path.join(root, "v%d" % number))
        except (Damaged, OSError, ValueError) as trouble:
            wrong.append(str(trouble))
    inventory = newest_inventory(root)
    known = set()
    count = 0
    blocks = [(inventory["digestAlgorithm"], inventory["manifest"])] + sorted(inventory.get("fixity", {}).items())
    for algorithm, block in blocks:
        for digest, paths in block.items():
            for path in paths:
                known.add(path)
                place = os.path.join(root, path)
                try:
                    found = digest_of(place, algorithm)
                except OSError as trouble:
                    wrong.append("%s: cannot be read (%s)" % (place, trouble.strerror))
                    continue
                count += 1
                if found != digest.lower():
                    wrong.append("%s: damaged, its %s is %s and not %s" % (place, algorithm, found, digest))
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            if path not in known and not name.startswith(("inventory.json", "0=ocfl_object_")):
                wrong.append("%s: nothing records it" % os.path.join(root, path))
    return wrong, count


def check_log(events):
    """What is wrong with the chain of the log, as sentences."""
    wrong = []
    previous = "0" * 64
    for folder, names, files in os.walk(events):
        names.sort()
        for name in sorted(files):
            with open(os.path.join(folder, name), "rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        continue
                    try:
                        record = json.loads(line.decode("utf-8"))
                        if record["previous"] != previous:
                            wrong.append("%s: event %s does not follow from the one before" % (name, record["seq"]))
                    except (ValueError, KeyError, TypeError):
                        wrong.append("%s: a line is not an event" % name)
                    previous = hashlib.sha256(line[:-1]).hexdigest()
    return wrong


def verify(archive, options):
    """Check every object and the log; 0 when all is right, 1 when something is not."""
    wrong = check_log(os.path.join(archive, "events"))
    objects = files = 0
    for root in object_roots(os.path.join(archive, "objects")):
        objects += 1
        try:
            found, count = check_object(root)
        except (Damaged, OSError, ValueError, KeyError, TypeError) as trouble:
            found, count = ["%s: %s" % (root, trouble)], 0
        wrong += found
        files += count
        if sys.stderr.isatty():
            sys.stderr.write("\r%d objects, %d digests" % (objects, files))
    for sentence in wrong:
        print(LINE_BREAKS.sub("?", sentence))
    print("%d objects, %d digests compared, %d problems" % (objects, files, len(wrong)))
    return 1 if wrong else 0


def list_all(archive, options):
    """One line for each resource: project, id, versions."""
    status = 0
    for root in object_roots(os.path.join(archive, "objects")):
        try:
            inventory = newest_inventory(root)
            about, files = records_of(root, state_of(inventory, inventory["head"]))
            print("%s\t%s\t%s\t%d files" % (about["project"], about["id"], inventory["head"], len(files)))
        except (Damaged, OSError, ValueError, KeyError, TypeError) as trouble:
            print("%s: %s" % (root, trouble))
            status = 1
    return status


def safe_target(folder, path):
    """Where a path from the archive goes below a folder; never outside it."""
    segments = path.split("/")
    if path.startswith("/") or any(segment in ("", ".", "..") for segment in segments) or "\0" in path:
        raise Damaged("the path %r would leave the folder" % path)
    short = [
        name if len(os.fsencode(name)) <= 255 else hashlib.sha256(os.fsencode(name)).hexdigest() for name in segments
    ]
    return os.path.join(folder, *short)


def copy_checked(source, target, algorithm, expected):
    """Copy a file and check it on the way; a damaged one is not left behind."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    found = hashlib.new(algorithm)
    with open(source, "rb") as given, open(target, "xb") as taken:
        for chunk in iter(lambda: given.read(CHUNK), b""):
            found.update(chunk)
            taken.write(chunk)
    if found.hexdigest() != expected.lower():
        os.remove(target)
        raise Damaged("%s: damaged, not extracted" % source)


def extract_version(root, inventory, version, folder, bags):
    """Write one version's files to a folder: the user's own names, or the bag as it is."""
    layout = state_of(inventory, version)
    digests = {path: digest for digest, paths in inventory["manifest"].items() for path in paths}
    _, files = records_of(root, layout)
    wrong = []
    os.makedirs(os.path.join(folder, "data") if bags else folder)
    for logical, place in sorted(layout.items()):
        if bags:
            name = logical
        elif logical in files:
            name = files[logical]["path"]
        else:
            continue
        try:
            target = safe_target(folder, name)
            copy_checked(os.path.join(root, place), target, inventory["digestAlgorithm"], digests[place])
        except (Damaged, OSError) as trouble:
            wrong.append(str(trouble))
    return wrong


def extract(archive, options):
    """Write resources to a new folder; 0 when everything could be written, 1 when not."""
    if os.path.exists(options.out):
        print("%s already exists; name a new folder" % options.out)
        return 2
    wrong = []
    count = 0
    for root in object_roots(os.path.join(archive, "objects")):
        try:
            inventory = newest_inventory(root)
            about, _ = records_of(root, state_of(inventory, inventory["head"]))
            if options.id is not None and about["id"] != options.id:
                continue
            chosen = ["v%s" % options.version.lstrip("v")] if options.version else [inventory["head"]]
            if options.all_versions:
                chosen = sorted(inventory["versions"], key=lambda name: int(name[1:]))
            for version in chosen:
                if version not in inventory["versions"]:
                    wrong.append("%s has no version %s" % (about["id"], version))
                    continue
                folder = os.path.join(options.out, os.path.basename(root))
                folder = os.path.join(folder, version) if options.all_versions else folder
                wrong += extract_version(root, inventory, version, folder, options.bags)
                count += 1
        except (Damaged, OSError, ValueError, KeyError, TypeError) as trouble:
            wrong.append("%s: %s" % (root, trouble))
    if options.id is not None and not count:
        wrong.append("no resource has the id %r" % options.id)
    for sentence in wrong:
        print(LINE_BREAKS.sub("?", sentence))
    print("%d versions extracted to %s, %d problems" % (count, options.out, len(wrong)))
    return 1 if wrong else 0


def main(arguments):
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="Check or extract the archive this file lies in.")
    parser.add_argument(
        "--archive", default=os.path.dirname(os.path.abspath(__file__)), help="another archive's folder"
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("verify", help="check every file of every version").set_defaults(run=verify)
    commands.add_parser("list", help="list what is kept").set_defaults(run=list_all)
    extracting = commands.add_parser("extract", help="write files to a new folder")
    extracting.add_argument("out")
    extracting.add_argument("--id", help="one resource only")
    extracting.add_argument("--version", help="a version, as 2 or v2")
    extracting.add_argument("--all-versions", action="store_true")
    extracting.add_argument("--bags", action="store_true", help="as BagIt bags")
    extracting.set_defaults(run=extract)
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 2
    if not os.path.isdir(os.path.join(options.archive, "objects")):
        print("%s holds no archive" % options.archive)
        return 2
    return options.run(options.archive, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
