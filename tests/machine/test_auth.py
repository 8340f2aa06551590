"""Who may do what when an entry is applied, and how users and roles change."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.authpb import Permission, UserAddOptions
from formats.rpcpb import (
    AlarmRequest,
    AuthDisableRequest,
    AuthRoleAddRequest,
    AuthRoleDeleteRequest,
    AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    AuthUserDeleteRequest,
    AuthUserGrantRoleRequest,
    AuthUserListRequest,
    AuthUserRevokeRoleRequest,
    Compare,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from tests.machine.asking import Asked
from walctl.machine.auth import AuthStore, Identity
from walctl.machine.base import Outcome, Result

DENIED = "auth: permission denied"
EMPTY = "auth: user name is empty"
OLD = "auth: revision in header is old"


def words_of(result: Result) -> str | None:
    assert (result.outcome is Outcome.REFUSED) == (result.words is not None)
    return result.words


def test_without_authentication_nobody_is_asked() -> None:
    assert Asked().put(b"k").outcome is Outcome.APPLIED


def test_a_request_runs_as_the_user_of_its_header() -> None:
    member = Asked().with_auth()
    assert words_of(member.put(b"a/1")) == EMPTY
    assert words_of(member.put(b"a/1", user="ann")) is None
    assert words_of(member.put(b"b/1", user="ann")) == DENIED
    assert words_of(member.put(b"b/1", user="root")) is None
    assert words_of(member.put(b"a/1", user="eve")) == DENIED


def test_a_denied_entry_has_no_effect_but_uses_its_index() -> None:
    member = Asked().with_auth()
    before = member.machine.applied
    member.put(b"b/1", user="ann")
    assert member.revision == 1
    assert member.machine.applied == before + 1


def test_who_logged_in_before_users_changed_is_not_believed() -> None:
    member = Asked().with_auth()
    revision = member.machine.state.auth.revision
    member.ask("root", auth_role_add=AuthRoleAddRequest(name="new"))
    request = PutRequest(key=b"a/1")
    assert words_of(member.ask("ann", revision, put=request)) == OLD
    assert words_of(member.ask("ann", revision + 1, put=request)) is None


def test_what_a_put_gives_back_must_be_readable() -> None:
    member = Asked().with_auth()
    write_only = Permission(perm_type=1, key=b"w")
    grant = AuthRoleGrantPermissionRequest(name="ann", perm=write_only)
    member.ask("root", auth_role_grant_permission=grant)
    assert words_of(member.put(b"w", user="ann")) is None
    assert words_of(member.put(b"w", user="ann", prev_kv=True)) == DENIED
    assert words_of(member.delete(b"w", user="ann", prev_kv=True)) == DENIED
    assert words_of(member.delete(b"w", user="ann")) is None


def test_a_lease_may_only_be_used_by_who_may_write_all_its_keys() -> None:
    member = Asked().with_auth()
    member.grant(9, user="root")
    member.put(b"b/1", user="root", lease=9)
    assert words_of(member.put(b"a/1", user="ann", lease=9)) == DENIED
    assert words_of(member.revoke(9, user="ann")) == DENIED
    assert words_of(member.revoke(9, user="root")) is None


def test_both_branches_of_a_transaction_are_asked_for() -> None:
    member = Asked().with_auth()
    fine = RequestOp(request_put=PutRequest(key=b"a/1"))
    bad = RequestOp(request_put=PutRequest(key=b"b/1"))
    reads = RequestOp(request_range=RangeRequest(key=b"b/1"))
    hidden = Compare(key=b"c", target=0, version=0)
    for txn, words in (
        (TxnRequest(success=(fine,), failure=(reads,)), None),
        (TxnRequest(success=(fine,), failure=(bad,)), DENIED),
        (TxnRequest(compare=(hidden,), success=(fine,)), DENIED),
        # etcd does not look into transactions inside: so much for leave.
        (TxnRequest(success=(RequestOp(request_txn=TxnRequest(success=(bad,))),)), None),
    ):
        assert words_of(member.ask("ann", txn=txn)) == words


def test_only_root_changes_users_and_roles() -> None:
    member = Asked().with_auth()
    add = AuthRoleAddRequest(name="new")
    assert words_of(member.ask("ann", auth_role_add=add)) == DENIED
    assert words_of(member.ask(auth_role_add=add)) == EMPTY
    assert words_of(member.ask("ann", auth_user_list=AuthUserListRequest())) == DENIED
    assert words_of(member.ask("root", auth_role_add=add)) is None


def test_the_auth_revision_counts_changes_and_switching_off_but_not_on() -> None:
    member = Asked().with_auth()
    auth = member.machine.state.auth
    assert auth.revision == 1 + 2 * 3 + 2
    member.ask("root", auth_disable=AuthDisableRequest())
    assert (auth.is_enabled, auth.revision) == (False, 10)
    assert member.ask(auth_disable=AuthDisableRequest()).outcome is Outcome.UNCHANGED
    assert auth.revision == 10


def test_root_stays_what_it_is_while_authentication_is_on() -> None:
    member = Asked().with_auth()
    words = "auth: invalid auth management"
    for fields in (
        {"auth_user_delete": AuthUserDeleteRequest(name="root")},
        {"auth_role_delete": AuthRoleDeleteRequest(role="root")},
        {"auth_user_revoke_role": AuthUserRevokeRoleRequest(name="root", role="root")},
    ):
        assert words_of(member.ask("root", **fields)) == words


def test_a_denial_under_an_alarm_may_have_been_carried_out_elsewhere() -> None:
    member = Asked().with_auth()
    member.ask("root", alarm=AlarmRequest(action=1, member_id=1, alarm=1))
    found = member.delete(b"b/1", user="ann")
    assert (found.words, bool(found.hazard)) == (DENIED, True)


def test_users_come_and_go() -> None:
    auth = AuthStore()
    assert auth.add_user("", "", "", None) == EMPTY
    assert auth.add_user("u", "", "aGFzaA==", None) is None
    assert auth.add_user("u", "", "", None) == "auth: user already exists"
    assert auth.add_user("v", "", "no base64", None) is not None
    assert auth.add_user("n", "x", "", UserAddOptions(no_password=True)) is None
    assert auth.add_user("typed", "in clear", "", None) is None
    assert [auth.users[name].password for name in ("u", "n", "typed")] == [b"hash", None, None]
    assert auth.change_password("w", "", "") == "auth: user not found"
    assert auth.change_password("u", "", "bmV3") is None
    assert auth.users["u"].password == b"new"
    assert auth.grant_role("u", "r") == "auth: role not found"
    assert auth.add_role("") == "auth: role name is empty"
    assert auth.add_role("r") is None
    assert auth.add_role("r") == "auth: role already exists"
    before = auth.revision
    assert auth.grant_role("u", "r") is None
    assert auth.grant_role("u", "r") is None
    assert auth.revision == before + 1
    assert auth.grant_role("w", "r") == "auth: user not found"
    assert auth.delete_role("r") is None
    assert auth.users["u"].roles == ()
    assert auth.revoke_role("u", "r") == "auth: role is not granted to the user"
    assert auth.delete_role("r") == "auth: role not found"
    assert auth.delete_user("u") is None
    assert auth.delete_user("u") == "auth: user not found"


def test_switching_on_takes_a_root_with_the_role() -> None:
    auth = AuthStore()
    assert auth.enable() == "auth: root user does not exist"
    auth.add_user("root", "", "", None)
    assert auth.enable() == "auth: root user does not have root role"
    assert auth.log_in("root") == "auth: authentication is not enabled"
    auth.grant_role("root", "root")
    assert auth.enable() is None
    assert auth.log_in("root") is None
    assert auth.log_in("u") == "auth: authentication failed, invalid user ID or password"


def test_a_permission_is_replaced_on_the_same_range_and_taken_back_by_it() -> None:
    auth = AuthStore()
    auth.add_role("r")
    for kind, end in ((None, b"c"), (1, b"c"), (2, b"d")):
        assert (
            auth.grant_permission("r", Permission(perm_type=kind, key=b"a", range_end=end)) is None
        )
    found = auth.roles["r"].key_permission
    assert [(each.perm_type, each.range_end) for each in found] == [(1, b"c"), (2, b"d")]
    words = "auth: permission is not granted to the role"
    assert auth.revoke_permission("r", b"a", b"") == words
    assert auth.revoke_permission("r", b"a", b"c") is None
    assert len(auth.roles["r"].key_permission) == 1


KEYS = [bytes(each) for size in (1, 2) for each in itertools.product(b"abc", repeat=size)]
RANGES = st.tuples(st.sampled_from(KEYS), st.sampled_from([b"", b"\0", *KEYS]))


def is_in(key: bytes, covered: tuple[bytes, bytes]) -> bool:
    start, end = covered
    if not end:
        return key == start
    return start <= key and (end == b"\0" or key < end)


PROBES = sorted({key + tail for key in KEYS for tail in (b"", b"\0", b"\0\0", b"b", b"zz")})


@given(st.lists(RANGES, max_size=4), RANGES)
def test_a_range_is_allowed_when_every_key_in_it_is(
    allowed: list[tuple[bytes, bytes]], asked: tuple[bytes, bytes]
) -> None:
    allowed = [each for each in allowed if not each[1] or each[1] == b"\0" or each[0] < each[1]]
    wanted = [key for key in PROBES if is_in(key, asked)]
    if asked[1] and asked[1] != b"\0" and asked[0] >= asked[1]:
        return  # selects nothing; what leave it takes is nobody's business
    auth = AuthStore()
    auth.add_user("u", "", "", None)
    auth.add_role("r")
    auth.grant_role("u", "r")
    auth.add_user("root", "", "", None)
    auth.grant_role("root", "root")
    for key, end in allowed:
        auth.grant_permission("r", Permission(key=key, range_end=end or None))
    auth.enable()
    who = Identity("u", auth.revision)
    is_covered = all(any(is_in(key, each) for each in allowed) for key in wanted)
    is_endless = asked[1] != b"\0" or any(each[1] == b"\0" for each in allowed)
    assert (auth.may_read(who, *asked) is None) == (is_covered and is_endless)
    assert auth.may_write(who, *asked) == DENIED


@pytest.mark.parametrize("revoked", [b"", b"c"])
def test_a_role_that_is_not_there_loses_nothing(revoked: bytes) -> None:
    member = Asked()
    request = AuthRoleRevokePermissionRequest(role="r", key=b"a", range_end=revoked or None)
    assert words_of(member.ask(auth_role_revoke_permission=request)) == "auth: role not found"


def test_requests_of_users_reach_the_store() -> None:
    member = Asked()
    member.ask(auth_user_add=AuthUserAddRequest(name="u", password="p"))
    member.ask(auth_role_add=AuthRoleAddRequest(name="r"))
    member.ask(auth_user_grant_role=AuthUserGrantRoleRequest(user="u", role="r"))
    change = AuthUserChangePasswordRequest(name="u", hashed_password="aGFzaA==")
    assert member.ask(auth_user_change_password=change).outcome is Outcome.APPLIED
    auth = member.machine.state.auth
    assert (auth.users["u"].password, auth.users["u"].roles) == (b"hash", ("r",))
    assert member.ask(auth_user_delete=AuthUserDeleteRequest(name="u")).outcome is Outcome.APPLIED
    assert not auth.users
