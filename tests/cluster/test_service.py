"""The faces of machines: writes as payloads, their fates, reads, ranges, and frozen states."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError
from formats.gob import Pair, parse_pair
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.raftpb import CONF_CHANGE, ConfChange
from tests.corpus import needs_corpus
from tests.machine.asking import Asked
from tests.machine.replays import Place, entries, surveyed
from walctl.cluster.answers import Fate
from walctl.cluster.service import (
    Done,
    EtcdService,
    KvService,
    Service,
    first_request_id,
)
from walctl.machine.mvcc import prefix_end
from walctl.raft.types import Entry

OK = Done(Fate.OK)
ID = first_request_id(0x55CA8A606383A88F, 1_700_000_000_000)
SERVICES: list[Callable[[], Service]] = [KvService, lambda: EtcdService(request_id=ID)]
KEYS = st.sampled_from([b"a", b"a/1", b"a/2", b"a\xff", b"a\xff\xff", b"b", b"\xff\xff"])
VALUES = st.sampled_from([b"", b"1", b"\xff"])
SIDES = st.none() | VALUES


class Log:
    """Entries for a service, as they are committed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.last = 0

    def commit(self, payload: bytes | None, type: int | None = None) -> Done:
        self.last += 1
        return self.service.apply(Entry(1, self.last, type, payload))


@pytest.fixture(params=SERVICES, ids=["kv", "etcd"])
def log(request: pytest.FixtureRequest) -> Log:
    return Log(request.param())


def test_what_was_put_is_read_until_it_is_deleted(log: Log) -> None:
    service = log.service
    assert service.read(b"/a") is None
    assert log.commit(service.put(b"/a", b"")) == OK
    assert service.read(b"/a") == b""
    assert log.commit(service.put(b"/a", b"\xff")) == OK
    assert service.read(b"/a") == b"\xff"
    assert [log.commit(service.delete(b"/a")) for _ in range(2)] == [OK, OK]
    assert service.read(b"/a") is None


def test_a_swap_that_fails_says_what_the_key_has_instead(log: Log) -> None:
    service = log.service
    assert log.commit(service.swap(b"/a", None, b"1")) == OK
    assert log.commit(service.swap(b"/a", None, b"2")) == Done(Fate.FAIL, "the key is there", b"1")
    assert log.commit(service.swap(b"/a", b"2", b"3")) == Done(
        Fate.FAIL, "the key has another value", b"1"
    )
    assert log.commit(service.swap(b"/b", b"", b"3")) == Done(Fate.FAIL, "the key is not there")
    assert log.commit(service.swap(b"/a", b"1", None)) == OK
    assert service.range(b"", 10) == []


def test_a_leader_s_first_entry_and_a_change_of_members_are_done(log: Log) -> None:
    assert log.commit(None) == OK
    change = ConfChange(id=1, type=0, node_id=1, context=b'{"id":1,"peerURLs":["http://a:1"]}')
    assert log.commit(CONF_CHANGE.build(change), 1) == OK


def test_what_no_member_can_read_has_no_effect(log: Log) -> None:
    done = log.commit(b"\x0f")
    assert done.fate is Fate.FAIL
    assert done.words


Step = tuple[str, bytes, bytes | None, bytes | None]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.none(), VALUES),
        st.tuples(st.just("delete"), KEYS, st.none(), st.none()),
        st.tuples(st.just("swap"), KEYS, SIDES, SIDES),
    ),
    max_size=12,
)


def carried_out(log: Log, model: dict[bytes, bytes], step: Step) -> None:
    """One step on a service and on a plain dictionary."""
    what, key, expected, value = step
    had = model.get(key)
    if what == "put":
        done = log.commit(log.service.put(key, value or b""))
        model[key] = value or b""
    elif what == "delete":
        done = log.commit(log.service.delete(key))
        model.pop(key, None)
    else:
        done = log.commit(log.service.swap(key, expected, value))
        if had != expected:
            assert (done.fate, done.found) == (Fate.FAIL, had)
            return
        model.pop(key, None)
        if value is not None:
            model[key] = value
    assert done == OK


@pytest.mark.parametrize("make", SERVICES, ids=["kv", "etcd"])
@given(steps=STEPS, prefix=KEYS | st.just(b""), limit=st.integers(0, 4))
def test_services_do_what_a_dictionary_does(
    make: Callable[[], Service], steps: list[Step], prefix: bytes, limit: int
) -> None:
    log, model = Log(make()), dict[bytes, bytes]()
    for step in steps:
        carried_out(log, model, step)
    expected = sorted(each for each in model.items() if each[0].startswith(prefix))
    assert log.service.range(prefix, limit) == expected[:limit]
    assert {key: log.service.read(key) for key in model} == model
    other = make()
    other.restore(log.service.freeze().build())
    assert other.range(b"", 99) == sorted(model.items())
    assert other.digest() == log.service.digest()


def test_a_frozen_state_is_built_elsewhere_while_the_machine_goes_on(log: Log) -> None:
    service = log.service
    log.commit(service.put(b"/a", b"\xff"))
    log.commit(service.put(b"/b", b"1"))
    frozen, digest = service.freeze(), service.digest()
    log.commit(service.put(b"/b", b"2"))
    log.commit(service.delete(b"/a"))
    built: list[bytes] = []
    thread = threading.Thread(target=lambda: built.append(frozen.build()))
    thread.start()
    thread.join()
    assert built == [b"".join(frozen.chunks())]
    install = service.thaw(built[0])
    assert service.read(b"/b") == b"2", "thawing alone changes nothing"
    install()
    assert (service.range(b"", 9), service.digest()) == ([(b"/a", b"\xff"), (b"/b", b"1")], digest)
    assert frozen.digest() == digest


def test_a_snapshot_that_does_not_read_changes_nothing(log: Log) -> None:
    log.commit(log.service.put(b"/a", b"1"))
    with pytest.raises(FormatError):
        log.service.restore(b"[")
    assert log.service.read(b"/a") == b"1"


def test_a_put_of_the_map_is_raftexample_s_own() -> None:
    assert parse_pair(KvService().put(b"/k", b"\xff")) == Pair(b"/k", b"\xff")


def test_members_of_the_map_stay_where_a_snapshot_is_taken_over() -> None:
    service = KvService()
    log = Log(service)
    for node in (1, 2):
        log.commit(CONF_CHANGE.build(ConfChange(type=0, node_id=node)), 1)
    service.restore(b"{}")
    assert service.machine.members == {1, 2}


def test_request_ids_begin_with_the_member_and_go_on() -> None:
    # As etcd's: the low 16 bits of the member id, milliseconds, and a number.
    assert (ID >> 48, ID & 0xFF) == (0xA88F, 0)
    assert first_request_id(1, 1 << 40) == first_request_id(1, 0) == 1 << 48
    service = EtcdService(request_id=ID)
    made = [service.put(b"k", b""), service.delete(b"k"), service.swap(b"k", None, b"")]
    headers = [INTERNAL_RAFT_REQUEST.parse(each).header for each in made]
    assert [header and header.id for header in headers] == [ID, ID + 1, ID + 2]


def test_where_authentication_is_on_requests_run_as_a_user() -> None:
    asked = Asked().with_auth()
    service = EtcdService(asked.machine, request_id=ID)
    log = Log(service)
    log.last = asked.machine.applied
    assert log.commit(service.put(b"k", b"1")) == Done(Fate.FAIL, "auth: user name is empty")
    service.user = "root"
    assert log.commit(service.put(b"k", b"1")) == OK
    assert log.commit(service.swap(b"k", b"1", b"2")) == OK


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff", b"\0"), (b"", b"\0"), (b"/\x00", b"/\x01")],
)
def test_the_end_of_a_prefix_is_what_etcd_s_clients_say(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_puts_and_deletes_are_what_a_real_etcd_logged(name: str) -> None:
    compared = {"put": 0, "delete": 0}
    for entry in entries(surveyed(Place(name, "n1").path)):
        try:
            request = INTERNAL_RAFT_REQUEST.parse(entry.data or b"")
        except FormatError:
            continue
        header = request.header
        if header is None or header.username or entry.type:
            continue
        service = EtcdService(request_id=header.id or 0)
        put, delete = request.put, request.delete_range
        if put is not None and not (put.lease or put.prev_kv or put.ignore_lease):
            if not put.ignore_value:
                compared["put"] += 1
                assert service.put(put.key or b"", put.value or b"") == entry.data
        elif delete is not None and not (delete.range_end or delete.prev_kv):
            compared["delete"] += 1
            assert service.delete(delete.key or b"") == entry.data
    assert compared["put"] > 30
    assert compared["delete"] >= 2
